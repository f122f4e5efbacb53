"""A fault as it is asked for: `NAME[:TARGET][@STEP|@SECONDS][+SECONDS]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.faults.catalogue import find_fault
from lab.faults.repository import RepositoryFault
from lab.faults.values import FaultError

__all__ = ["FaultRequest", "parse_fault"]

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s?")
# What follows a digest's @ is no time: `unpullable:ghcr.io/x@sha256:...`.
_DIGEST = re.compile(r"sha\d+:")


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """Which fault strikes what, and when: at a step of a run, after simulated seconds, or now.

    It lasts until it is ended, or for so many simulated seconds.
    """

    name: str
    target: str = ""
    step: str = ""
    seconds: float = 0.0
    lasting: float = 0.0

    def __str__(self) -> str:
        """Write it as it was asked for."""
        target = f":{self.target}" if self.target else ""
        when = self.step or (f"{self.seconds:g}" if self.seconds else "")
        lasting = f"+{self.lasting:g}" if self.lasting else ""
        return f"{self.name}{target}" + (f"@{when}" if when else "") + lasting


def parse_fault(text: str) -> FaultRequest:
    """Read a request.

    Raises:
        FaultError: no fault has that name, a part is empty, or it takes no such part.
    """
    rest, plus, last = text.rpartition("+")
    lasting = _SECONDS.fullmatch(last) if plus else None
    what, at, when = (rest if lasting else text).rpartition("@")
    if not at or _DIGEST.match(when):
        what, at, when = rest if lasting else text, "", ""
    name, colon, target = what.partition(":")
    fault = find_fault(name)
    if (at and not when) or (colon and not target):
        raise FaultError(
            f"fault ends in the middle: `{text}`",
            hint="write NAME[:TARGET][@STEP|@SECONDS][+SECONDS], for example silent:worker-1@30+60",
        )
    if isinstance(fault, RepositoryFault) and (at or colon or lasting):
        raise FaultError(
            f"fault of the repository has neither target nor moment: `{text}`",
            hint=f"write --fault {name}: it picks its place, and is there from the start",
        )
    lasting_s = float(lasting[1]) if lasting else 0.0
    seconds = _SECONDS.fullmatch(when)
    if seconds:
        return FaultRequest(name, target, seconds=float(seconds[1]), lasting=lasting_s)
    return FaultRequest(name, target, step=when, lasting=lasting_s)
