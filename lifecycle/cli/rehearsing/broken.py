"""Bootstraps of a broken repository: refused before any change, borne, or named by the run."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from lifecycle.cli.rehearsing.trials import Ended, Workshop, tell_first_line
from lifecycle.cli.rehearsing.values import Known, Part, Row, Verdict
from lifecycle.drivers.documents import Json, list_at, number_at, text_at, texts_at
from lifecycle.gates.repository import refuses

if TYPE_CHECKING:
    from lifecycle.cli.rehearsing.content import Copy, Damage

__all__ = ["judge_broken", "try_broken"]

# Exit codes of what is refused before any change: wrong in the repository, or by preflight.
_REFUSED = (2, 4)
_QUOTED = re.compile(r"`([^`]+)`")


def try_broken(workshop: Workshop, copy: Copy, known: Known) -> Row:
    """Bootstrap with a fault in the repository, until the run refuses it, names it or ends."""
    damage = copy.damage(known)
    if damage.why:
        return Row(Part.BROKEN, known.name, Verdict.DOES_NOT_APPLY, damage.why)
    begun = time.monotonic()
    with workshop.open(f"broken-{known.name}") as trial:
        marks = _list_marks(damage)
        ended = trial.bootstrap(
            faults=[known.name], until=lambda line: any(mark in line for mark in marks)
        )
        verdict, said = judge_broken(damage, ended)
        took = time.monotonic() - begun
        log = str(trial.log) if verdict is Verdict.FAILED else ""
        return Row(Part.BROKEN, known.name, verdict, said, took, 1, log)


def judge_broken(damage: Damage, ended: Ended) -> tuple[Verdict, str]:
    """Say whether a bootstrap did right with what was broken.

    Right is to refuse it before any change and say where it is, to come to the end all the same
    where nothing that is found forbids it, or to fail with words that lead there.
    """
    if ended.said:
        return Verdict.HELD, f"named while the run waited, and ended: {ended.said}"
    if ended.is_late:
        return Verdict.FAILED, ended.describe()
    if ended.code:
        return _judge_failure(damage, ended)
    if any(refuses(one) for one in damage.found):
        return Verdict.FAILED, "it came to its end, with what should have been refused"
    return Verdict.HELD, "a bootstrap comes to its end all the same"


def _judge_failure(damage: Damage, ended: Ended) -> tuple[Verdict, str]:
    said = "\n".join(_list_words(ended))
    if not any(mark in said for mark in _list_marks(damage)):
        return Verdict.FAILED, f"nothing that it says leads to what is broken: {ended.describe()}"
    if ended.code in _REFUSED:
        return Verdict.HELD, f"refused before any change: {ended.describe()}"
    causes = ", ".join(_list_causes(ended))
    why = f" (cause: {causes})" if causes else ""
    changed = number_at(ended.document, "changed")
    return Verdict.HELD, f"{ended.describe()}{why}, after {changed} changes"


def _list_marks(damage: Damage) -> set[str]:
    """List what points at a fault: findings, the files that it touched, what findings quote."""
    quoted = {name for one in damage.found for name in _QUOTED.findall(one.message)}
    return {*(one.id for one in damage.found), *damage.changed, *quoted}


def _list_words(ended: Ended) -> list[str]:
    """List everything that a run says of its failures."""
    said = [text_at(ended.document, "error", key) for key in ("message", "hint")]
    for failure in ended.failures:
        said += [text_at(failure, key) for key in ("step", "message", "hint")]
        for cause in list_at(failure, "diagnoses"):
            said += [*_words_of(cause)]
    return said


def _words_of(cause: Json) -> list[str]:
    words = [text_at(cause, key) for key in ("cause", "command", "component", "signature")]
    return [*words, *texts_at(cause, "evidence")]


def _list_causes(ended: Ended) -> list[str]:
    found = {
        text_at(cause, "signature") for one in ended.failures for cause in list_at(one, "diagnoses")
    }
    return sorted(map(tell_first_line, filter(None, found)))
