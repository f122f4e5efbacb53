"""`graph`: who waits for whom, declared and inferred."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lifecycle.cli.console import Terminal
from lifecycle.cli.options import check_name
from lifecycle.cli.reading import ReadingArguments, choose_one, read_target, run_reading
from lifecycle.cli.requests import ClusterRequest
from lifecycle.errors import PlanError
from lifecycle.secrets import Redactor

__all__ = ["FORMATS", "graph"]

FORMATS: Mapping[str, tuple[str, ...]] = {
    "text": (".txt",),
    "mermaid": (".mmd", ".mermaid", ".md"),
    "svg": (".svg",),
}


def graph(arguments: ReadingArguments, environ: Mapping[str, str]) -> int:
    """Draw the dependency graph of one cluster; returns the exit code."""

    def command(terminal: Terminal, _redactor: Redactor) -> int:
        return _draw(arguments, environ, terminal)

    return run_reading(arguments, environ, command)


def _draw(arguments: ReadingArguments, environ: Mapping[str, str], terminal: Terminal) -> int:
    output = Path(arguments.output).expanduser() if arguments.output else None
    kind = _choose_format(arguments.format, output)
    repo, target = read_target(arguments, environ)
    text = _draw_as(kind, repo, target, environ)
    text = text.encode("utf-8", "backslashreplace").decode()
    if kind == "mermaid":
        _warn_of_limits(text, terminal)
    if output is None:
        terminal.stdout.write(text)
        terminal.stdout.flush()
    else:
        _write(output, text)
        terminal.say(f"written: {output}")
    return 0


def _warn_of_limits(text: str, terminal: Terminal) -> None:
    from inventory.drawings import find_excess  # noqa: PLC0415 (start-up)

    excess = find_excess(text)
    if excess:
        terminal.say(f"note: {excess} unless it is configured for more: try --format svg")


def _choose_format(name: str, output: Path | None) -> str:
    """Return the format asked for, or the one that the file's suffix names."""
    if name:
        check_name("format", name, FORMATS)
        return name
    suffix = output.suffix.lower() if output else ""
    return next((kind for kind, suffixes in FORMATS.items() if suffix in suffixes), "text")


def _draw_as(kind: str, repo: Path, target: ClusterRequest, environ: Mapping[str, str]) -> str:
    from inventory import infer_edges, read_repository  # noqa: PLC0415 (start-up)
    from inventory.drawings import draw_mermaid, draw_svg, draw_text  # noqa: PLC0415 (start-up)

    inventory = read_repository(repo, choose_one(repo, target.cluster))
    if target.charts:
        from asyncio import run  # noqa: PLC0415 (start-up)

        from lifecycle.cli.renderings import render_charts  # noqa: PLC0415 (start-up)

        seen = run(render_charts(inventory, target.charts, environ))
        edges = infer_edges(inventory, seen.rendered)
    else:
        edges = infer_edges(inventory)
    match kind:
        case "svg":
            return draw_svg(inventory, edges)
        case "mermaid":
            return draw_mermaid(inventory, edges)
        case _:
            return draw_text(inventory, edges)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"drawing cannot be written: `{path}`: {error.strerror}",
            hint="name a file in a folder that you may write to",
        ) from error
