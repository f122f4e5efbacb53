"""The parts that take whole bootstraps: plain, killed at every step, and under a fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle.cli.lab_faults import read_acts
from lifecycle.cli.rehearsing.trials import KILLED, Ended, Trial, Workshop, tell_first_line
from lifecycle.cli.rehearsing.values import Known, Part, Row, Verdict
from lifecycle.drivers.documents import flag_at, list_at, number_at, text_at

__all__ = ["Kills", "Plain", "judge_fault", "kill", "rehearse_plain", "spread", "try_fault"]

# What happens once in the life of a cluster, however often the run was killed.
_ONCE = ("etcd.bootstrap", "kubernetes.create", "machine.install/", "machine.apply/")
# More runs than there are steps and gates would mean that the kills never end.
_MORE_RUNS = 10


@dataclass(frozen=True, slots=True)
class Plain:
    """What the plain bootstrap teaches the other parts: what gates say, what can be struck."""

    seen: Mapping[str, str]  # of every step and gate, in the order of the plan
    steps: tuple[str, ...]  # those that acted
    targets: Mapping[str, str]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class _Watch:
    """Measures a trial, and makes its row."""

    part: Part
    trial: Trial
    begun_s: float = field(default_factory=time.monotonic)

    def end(self, verdict: Verdict, seen: str, runs: int, hint: str = "") -> Row:
        """Return the row; only a trial that failed is worth reading on."""
        log = str(self.trial.log) if verdict is Verdict.FAILED else ""
        elapsed_s = time.monotonic() - self.begun_s
        return Row(self.part, self.trial.name, verdict, seen, elapsed_s, runs, log, hint)


def rehearse_plain(
    workshop: Workshop, suggest: Callable[[Path], Mapping[str, str]]
) -> tuple[Row, Plain | None]:
    """Bootstrap without any accident, then once more, which must change nothing."""
    with workshop.open("plain") as trial:
        watch = _Watch(Part.PLAIN, trial)
        first = trial.bootstrap()
        if first.code:
            return watch.end(Verdict.FAILED, first.describe(), 1, first.hint), None
        targets = suggest(trial.control)
        second = trial.bootstrap()
        changed = number_at(second.document, "changed")
        plain = Plain(
            {name: text_at(step, "seen") for name, step in first.steps.items()},
            tuple(name for name, step in first.steps.items() if flag_at(step, "changed")),
            targets,
            first.elapsed_s,
        )
        if second.code:
            said = f"the second run: {second.describe()}"
            return watch.end(Verdict.FAILED, said, 2), plain
        done = number_at(first.document, "done")
        said = (
            f"{done} of {len(plain.seen)} done in {first.elapsed_s:.0f} s;"
            f" the second run changed {changed} in {second.elapsed_s:.0f} s"
        )
        verdict = Verdict.FAILED if changed else Verdict.HELD
        return watch.end(verdict, said, 2), plain


@dataclass(frozen=True, slots=True)
class Kills:
    """Where to kill: at a moment of every step, or of so many, evenly spread, when not 0."""

    name: str
    moment: str
    most: int
    tell: Callable[[str], None]  # is told of each kill


def kill(workshop: Workshop, kills: Kills, plain: Plain) -> Row:
    """Kill a bootstrap at one step after the other, until a run comes to its end.

    At every step and gate with the moment `enter`, else at the steps that act.
    """
    moment = kills.moment
    names = tuple(plain.seen) if moment == "enter" else plain.steps
    wanted = spread(names, kills.most)
    with workshop.open(kills.name) as trial:
        watch = _Watch(Part.KILLS, trial)
        covered = trial.folder / "covered"
        left_out = [name for name in names if name not in wanted]
        covered.write_text("".join(f"{name}\n" for name in left_out), encoding="utf-8")
        runs = 0
        while True:
            ended = trial.bootstrap(moment=moment)
            runs += 1
            killed = covered.read_text(encoding="utf-8").split()[len(left_out) :]
            if ended.code != KILLED or runs > len(wanted) + _MORE_RUNS:
                break
            kills.tell(f"killed at {killed[-1]}, {len(killed)} of {len(wanted)}")
        verdict, said = _judge_kills(trial, ended, killed, wanted)
        return watch.end(verdict, said, runs)


def spread(names: Sequence[str], most: int) -> Sequence[str]:
    """Return at most so many names, as far from each other as can be; all of them for 0."""
    if not most or most >= len(names):
        return names
    return [names[(2 * index + 1) * len(names) // (2 * most)] for index in range(most)]


def _judge_kills(
    trial: Trial, ended: Ended, killed: Sequence[str], wanted: Sequence[str]
) -> tuple[Verdict, str]:
    at = f"after it was killed at {killed[-1]}: " if killed else ""
    if ended.code:
        return Verdict.FAILED, f"{at}{ended.describe()}"
    acts = {
        name: count
        for name, count in read_acts(trial.control).items()
        if name.startswith(_ONCE) and count != 1
    }
    if acts:
        often = ", ".join(f"{name} {count} times" for name, count in acts.items())
        return Verdict.FAILED, f"what must happen once happened more often: {often}"
    count = len(set(killed) & set(wanted))
    rest = len(wanted) - count
    left = f"; {rest} had nothing to do when their turn came" if rest else ""
    return Verdict.HELD, f"killed at {count} of {len(wanted)}, each time the next run went on{left}"


def try_fault(workshop: Workshop, known: Known, request: str, plain: Plain) -> Row:
    """Bootstrap under a fault, see what answers, end the fault, and bootstrap to the end."""
    with workshop.open(known.name) as trial:
        watch = _Watch(Part.FAULTS, trial)
        first = trial.bootstrap(faults=[request])
        if why := first.does_not_apply:
            return Row(Part.FAULTS, known.name, Verdict.DOES_NOT_APPLY, why)
        verdict, said = judge_fault(known, first, plain.seen)
        if not first.code:
            said = f"{said}; {first.elapsed_s:.0f} s instead of {plain.elapsed_s:.0f} s"
        if verdict is Verdict.FAILED or not first.code:
            return watch.end(verdict, said, 1)
        struck = trial.repair(known.name)
        second = trial.bootstrap(consent=struck if known.leaves_data else ())
        if second.code:
            said = f"{said}; but when it was over: {second.describe()}"
            return watch.end(Verdict.FAILED, said, 2)
        consent = ", and with consent to wipe the disk," if known.leaves_data else ","
        said = f"{said}; when it was over{consent} the next run came to its end"
        return watch.end(Verdict.HELD, said, 2)


def judge_fault(known: Known, ended: Ended, seen: Mapping[str, str]) -> tuple[Verdict, str]:
    """Compare how a bootstrap ended with what the catalogue promises; `seen` is without a fault."""
    places, signatures = known.names_of("gate", "step"), known.names_of("diagnosis")
    if not ended.code:
        if not known.answers:
            return Verdict.HELD, "the run bore it"
        return _find_remark(ended, places, seen)
    if ended.is_late or not ended.failures:
        return Verdict.FAILED, ended.describe()
    failed = {text_at(one, "step").partition("/")[0] for one in ended.failures}
    found = {
        text_at(cause, "signature") for one in ended.failures for cause in list_at(one, "diagnoses")
    }
    is_elsewhere = bool(places) and not places & failed
    if not known.answers or is_elsewhere or (signatures and not signatures & found):
        promised = ", ".join(known.answers) or "that a run bears it"
        causes = f"; causes: {', '.join(sorted(found))}" if found else ""
        return Verdict.FAILED, f"promised was {promised}; but {ended.describe()}{causes}"
    causes = f" (cause: {', '.join(sorted(found & signatures))})" if found & signatures else ""
    return Verdict.HELD, f"{ended.describe()}{causes}"


def _find_remark(ended: Ended, places: set[str], seen: Mapping[str, str]) -> tuple[Verdict, str]:
    """Find what a gate that let the run pass said of the fault."""
    for name, step in ended.steps.items():
        said = text_at(step, "seen")
        if name.partition("/")[0] in places and said != seen.get(name, said):
            return Verdict.HELD, f"{name} let it pass, and says: {tell_first_line(said)}"
    return Verdict.FAILED, "nothing answered: the run came to its end as without a fault"
