"""What a rehearsal is going to try, and roughly how long that takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lifecycle.cli.lab import make_lab_environment
from lifecycle.cli.options import check_name
from lifecycle.cli.rehearsing.killing import MOMENTS
from lifecycle.cli.rehearsing.values import Known, Part, RehearseArguments
from lifecycle.drivers.documents import flag_at, list_at, parse_json, text_at, texts_at
from lifecycle.errors import LifecycleError, PlanError
from lifecycle.report.words import format_elapsed

__all__ = ["Schedule", "make_schedule", "read_catalogue"]

# Killed before each step and gate, and after each act before it is on record: the moments that
# differ most. The other two are there for whoever asks.
_USUAL_MOMENTS = ("enter", "end")
DEFAULT_LIMIT_S = 300.0

# Wall seconds on two cores at the usual speed, measured with the sample and nomenator. They only
# make the estimate.
_LAB_S = 4.0
_BOOTSTRAP_S = 4.0
_COMPONENT_S = 0.55
_KILLED_S = 2.2
_VALIDATE_S = 0.4
_REFUSED_S = 3.5  # with the start of its lab
_GOES_ON = 0.3  # of the faults of the repository, those with which a bootstrap begins
_ANSWER_S = 24.0  # until a gate's patience with a fault ends, and a second run
# Steps and gates that every plan has, and for each component.
_NODES, _NODES_OF_COMPONENT = 36, 2.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The trials: parts, moments of kills, and faults of the catalogue."""

    parts: frozenset[Part]
    moments: tuple[str, ...]
    most_kills: int  # of each moment; 0 for every step
    faults: tuple[Known, ...]
    limit_s: float

    @property
    def of_repository(self) -> tuple[Known, ...]:
        """The faults that are edits of the repository, to be validated."""
        return self._of_repository(Part.FAULTS)

    @property
    def broken(self) -> tuple[Known, ...]:
        """The faults that are edits of the repository, to be bootstrapped."""
        return self._of_repository(Part.BROKEN)

    def _of_repository(self, part: Part) -> tuple[Known, ...]:
        wanted = self.faults if part in self.parts else ()
        return tuple(one for one in wanted if one.is_of_repository)

    @property
    def of_world(self) -> tuple[Known, ...]:
        """The faults of the world while it runs."""
        wanted = self.faults if Part.FAULTS in self.parts else ()
        return tuple(one for one in wanted if not one.is_of_repository)

    @property
    def needs_plain(self) -> bool:
        """Tell whether a plain bootstrap has to come first: the others are compared with it."""
        return bool(self.parts - {Part.FAULTS, Part.BROKEN}) or bool(self.of_world)

    def describe(self, components: int) -> list[str]:
        """Say how many runs there will be and roughly how long they take."""
        once_s = _LAB_S + _BOOTSTRAP_S + _COMPONENT_S * components
        nodes = round(_NODES + _NODES_OF_COMPONENT * components)
        lines: list[tuple[str, str, float]] = []
        if self.needs_plain:
            lines.append(("plain", "2 runs, the second must change nothing", once_s + _KILLED_S))
        if Part.KILLS in self.parts:
            each = [nodes if moment == "enter" else nodes // 2 for moment in self.moments]
            kills = sum(min(self.most_kills or count, count) for count in each)
            where = f"{self.most_kills} steps" if self.most_kills else "every step"
            words = f"about {kills} runs, killed at {where} ({', '.join(self.moments)})"
            lines.append(("kills", words, kills * _KILLED_S + len(self.moments) * once_s))
        if self.of_repository:
            words = f"{len(self.of_repository)} of the repository, validated"
            lines.append(("faults", words, len(self.of_repository) * _VALIDATE_S))
        if self.of_world:
            words = f"{len(self.of_world)} of the world, 2 runs each"
            lines.append(("faults", words, len(self.of_world) * (once_s + _ANSWER_S)))
        if self.broken:
            count = len(self.broken)
            words = f"{count} of the repository, a run each, most of them refused at once"
            took = count * (_REFUSED_S + _GOES_ON * once_s)
            lines.append(("broken", words, took))
        told = [f"  {part:<7} {words}: about {format_elapsed(took)}" for part, words, took in lines]
        total = format_elapsed(sum(took for _, _, took in lines))
        return [*told, f"  in all about {total}; each run is ended after {self.limit_s:.0f} s"]


def read_catalogue() -> tuple[Known, ...]:
    """Ask the lab for the faults that it can make.

    Raises:
        LifecycleError: it does not say.
    """
    argv = [sys.executable, "-P", "-m", "lab.faults"]
    process = subprocess.run(argv, env=make_lab_environment(), capture_output=True, check=False)
    try:
        listed = list_at(parse_json(process.stdout))
    except ValueError as error:
        said = process.stderr.decode("utf-8", "replace").strip()
        raise LifecycleError(f"lab does not say which faults there are: {said}") from error
    return tuple(
        Known(
            text_at(one, "name"),
            text_at(one, "target"),
            texts_at(one, "answers"),
            leaves_data=flag_at(one, "leaves_data"),
        )
        for one in listed
    )


def make_schedule(arguments: RehearseArguments, known: Sequence[Known]) -> Schedule:
    """Choose what was asked for.

    Raises:
        PlanError: a part, moment or fault that there is not, or a limit that is none.
    """
    names = arguments.base.faults
    parts = _choose("part of a rehearsal", arguments.only, [part.value for part in Part])
    chosen = frozenset(map(Part, parts))
    if not chosen:
        chosen = frozenset({Part.FAULTS, Part.BROKEN} if names else Part)
    for name in names:
        check_name("fault", name, (one.name for one in known))
    faults = tuple(one for one in known if one.name in names or not names)
    moments = _choose("moment of a kill", arguments.moments, MOMENTS)
    return Schedule(
        chosen,
        moments or _USUAL_MOMENTS,
        int(_parse_number("number of kills", arguments.kills, 0, "--kills 5")),
        faults,
        _parse_number("limit", arguments.limit, DEFAULT_LIMIT_S, "--limit 600"),
    )


def _choose(what: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        check_name(what, name, known)
    return names


def _parse_number(what: str, text: str, default: float, example: str) -> float:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text)):
        raise PlanError(f"{what} is no whole number above 0: `{text}`", hint=f"write {example}")
    return int(text)
