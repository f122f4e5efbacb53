"""What tests share that live with a lab: asking it what happened, and watching a plan's nodes."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from lifecycle.cli.lab import find_lab_folder
from lifecycle.engine import Node
from lifecycle.store import ClusterState

__all__ = ["guard_node", "read_acts"]


def read_acts(state: ClusterState) -> Mapping[str, int]:
    """Ask a standing lab how often each act happened."""
    control = json.loads((find_lab_folder(state) / "lab.json").read_text())["control"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(control)
        connection.sendall(b'{"do": "ledger"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            acts: dict[str, int] = json.loads(answers.readline())["acts"]
    return acts


def guard_node(node: Node, methods: Mapping[str, object]) -> Node:
    """Return the same step or gate with some methods in place of its own.

    The methods are given the guarded node; what they replace is at `type(node)`. A subclass
    keeps every ability that the runner looks for.
    """
    kind = type(node)
    guarded: Node = object.__new__(type(f"Guarded{kind.__name__}", (kind,), dict(methods)))
    for name in _find_fields(kind):
        object.__setattr__(guarded, name, getattr(node, name))
    return guarded


def _find_fields(kind: type) -> tuple[str, ...]:
    assert is_dataclass(kind)
    return tuple(item.name for item in fields(kind))
