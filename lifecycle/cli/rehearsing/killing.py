"""Kills the run that it watches, at the first step or gate where it was not killed before."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from lifecycle.engine import Answer, Event, EventName, Listener, Node, Step

__all__ = ["MOMENTS", "Killer", "guard_node"]

# Before the first probe of a step or gate; the intent is on disk and nothing is done; a command
# of the act runs, or a request has changed something; the act is done, and not on record.
MOMENTS = ("enter", "begin", "middle", "end")

# A command is given this long to be well under way; the shortest takes about as long.
_UNDER_WAY_S = 0.02


class Killer:
    """Knows where the run was killed before, by a file, and dies at the first other step.

    With `only`, it spares the steps that are not among those.
    """

    def __init__(self, moment: str, covered: Path, only: Collection[str] = ()) -> None:
        self._moment = moment
        self._only = only
        self._file = covered
        self._covered = set(covered.read_text(encoding="utf-8").splitlines())
        self._acting: set[str] = set()

    def at(self, step: str, moment: str, *, after_s: float = 0.0) -> None:
        """Die here, or in a moment, unless this was covered before."""
        if moment != self._moment or step in self._covered:
            return
        if self._only and step not in self._only:
            return
        self._covered.add(step)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{step}\n")
        if after_s:
            threading.Timer(after_s, _die).start()
        else:
            _die()

    def listen(self, listener: Listener) -> Listener:
        """Pass events on, and die in the middle of acts."""

        def hear(event: Event) -> None:
            listener(event)
            if event.step in self._acting:
                if event.name is EventName.COMMAND_STARTED:
                    self.at(event.step, "middle", after_s=_UNDER_WAY_S)
                if event.name is EventName.API_REQUESTED:
                    self.at(event.step, "middle")

        return hear

    def guard(self, node: Node) -> Node:
        """Return the same step or gate, with a killer around its probe and its act."""
        killer, kind = self, type(node)

        async def probe(self: Node) -> Answer:
            killer.at(self.name, "enter")
            return await kind.probe(self)

        async def apply(self: Step) -> None:
            killer.at(self.name, "begin")
            killer._acting.add(self.name)
            await kind.apply(self)  # type: ignore[attr-defined] # only steps have it
            killer._acting.discard(self.name)
            killer.at(self.name, "end")

        acts = {"apply": apply} if isinstance(node, Step) else {}
        return guard_node(node, {"probe": probe, **acts})


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
    if not is_dataclass(kind):
        raise TypeError(f"step or gate is no dataclass: `{kind.__name__}`")
    return tuple(item.name for item in fields(kind))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
