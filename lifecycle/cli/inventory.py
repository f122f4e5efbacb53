"""`inventory`: what a repository holds, read from its files alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lifecycle.cli.console import Terminal
from lifecycle.cli.reading import (
    ReadingArguments,
    choose_clusters,
    clean_json,
    read_target,
    run_reading,
)
from lifecycle.secrets import Redactor

if TYPE_CHECKING:
    from inventory import Inventory

__all__ = ["inventory"]


def inventory(arguments: ReadingArguments, environ: Mapping[str, str]) -> int:
    """Show what is there; returns the exit code, 0 whatever the findings are."""

    def command(terminal: Terminal, _redactor: Redactor) -> int:
        return _show(arguments, environ, terminal)

    return run_reading(arguments, environ, command)


def _show(arguments: ReadingArguments, environ: Mapping[str, str], terminal: Terminal) -> int:
    from inventory import read_repository  # noqa: PLC0415 (start-up)

    repo, target = read_target(arguments, environ)
    found = [read_repository(repo, name) for name in choose_clusters(repo, target.cluster)]
    if terminal.is_json:
        _print(found, terminal)
        return 0
    from lifecycle.cli.inventory_tables import draw_inventory  # noqa: PLC0415 (start-up)

    for item in found:
        terminal.show(draw_inventory(item))
    return 0


def _print(found: list[Inventory], terminal: Terminal) -> None:
    from inventory.summary import summarise  # noqa: PLC0415 (start-up)

    terminal.print_json(clean_json({"clusters": [summarise(item) for item in found]}))
