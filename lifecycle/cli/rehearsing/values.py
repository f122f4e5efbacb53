"""What a rehearsal is made of, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lifecycle.cli.options import Arguments

__all__ = ["Known", "Part", "RehearseArguments", "Row", "Verdict"]


class Part(StrEnum):
    """The parts of a rehearsal, in their order."""

    PLAIN = "plain"
    KILLS = "kills"
    FAULTS = "faults"
    BROKEN = "broken"


class Verdict(StrEnum):
    """How one trial went."""

    HELD = "held"
    FAILED = "failed"
    DOES_NOT_APPLY = "does not apply"


@dataclass(frozen=True, slots=True)
class RehearseArguments:
    """The arguments of `rehearse` as Invoke gives them; `base` has those of every run."""

    base: Arguments = field(default_factory=Arguments)
    only: str = ""
    moments: str = ""
    kills: str = ""
    limit: str = ""
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A fault of the lab's catalogue: `answers` are `gate NAME`, `finding NAME` and the like.

    With `leaves_data`, the next run needs consent to wipe the disk of the machine that it struck.
    """

    name: str
    target: str
    answers: tuple[str, ...]
    leaves_data: bool = False

    @property
    def is_of_repository(self) -> bool:
        """Tell whether it is an edit of the repository."""
        return self.target == "repository"

    def names_of(self, *kinds: str) -> set[str]:
        """Return the names of the answers of some kinds."""
        parted = (answer.split(" ", 1) for answer in self.answers)
        return {name for kind, name in parted if kind in kinds}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report; `runs` is how many bootstraps it took.

    Of what failed, `hint` is what the run's own error says, and `log` where to read on.
    """

    part: Part
    name: str
    verdict: Verdict
    seen: str
    elapsed_s: float = 0.0
    runs: int = 0
    log: str = ""
    hint: str = ""
