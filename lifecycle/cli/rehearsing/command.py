"""`rehearse` from its arguments to its exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

from lifecycle.cli.console import Terminal, open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.lab_faults import suggest_targets
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.cli.options import read_run
from lifecycle.cli.place import find_state
from lifecycle.cli.rehearsing.broken import try_broken
from lifecycle.cli.rehearsing.content import Copy, open_copy
from lifecycle.cli.rehearsing.planning import Schedule, make_schedule, read_catalogue
from lifecycle.cli.rehearsing.record import Record, open_record
from lifecycle.cli.rehearsing.report import describe_rows, draw_report, sum_up
from lifecycle.cli.rehearsing.runs import Kills, Plain, kill, rehearse_plain, try_fault
from lifecycle.cli.rehearsing.trials import Workshop
from lifecycle.cli.rehearsing.values import Known, Part, RehearseArguments, Row, Verdict
from lifecycle.clock import SystemClock
from lifecycle.errors import InterruptedRunError
from lifecycle.report.words import format_elapsed
from lifecycle.secrets import Redactor
from lifecycle.store import FileLock
from lifecycle.store.paths import find_state_home

__all__ = ["NEEDS_TARGET", "rehearse"]

# As fast as real tools keep up with on two cores: at twice this speed, waits that are bounded in
# simulated time end before helm and kustomize do.
_SPEED = "40"
_DID_NOT_HOLD = 1
_FOLDER = "rehearsals"
# Faults of these strike nothing by themselves.
NEEDS_TARGET = frozenset({"database", "image", "pods", "recovery", "restore", "volume", "webhook"})


def rehearse(arguments: RehearseArguments, environ: Mapping[str, str]) -> int:
    """Rehearse a repository; returns 0 when all held, 1 when something did not."""
    terminal = open_terminal(environ, is_json=arguments.base.json)
    redactor = Redactor()

    def command() -> int:
        base = arguments.base
        base = replace(base, is_lab=True, yes=True, json=True, speed=base.speed or _SPEED)
        # What faults are meant is decided here; a run is told of one at a time.
        request = read_run(replace(base, faults=()), environ)
        state = find_state(request.settings, request.target)
        home = request.settings.state_home / _FOLDER / state.folder.name
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A wrong word is told before anything is copied.
        schedule = make_schedule(arguments, read_catalogue())
        with FileLock(home / "lock", cluster=state.folder.name, now=SystemClock().now()):
            tools = find_lab_tools()
            terminal.say("rehearsal: copying the repository")
            with open_copy(home, request.target, tools, environ, redactor) as copy:
                shop = Workshop(
                    home,
                    request.settings,
                    request.target,
                    replace(base, faults=()),
                    schedule.limit_s,
                )
                return _Rehearsal(arguments, terminal, shop, copy, schedule).carry_out()

    crash_log = find_state_home(environ) / "crash.log"
    return run_guarded(command, terminal=terminal, redactor=redactor, crash_log=crash_log)


@dataclass(slots=True)
class _Rehearsal:
    arguments: RehearseArguments
    terminal: Terminal
    shop: Workshop
    copy: Copy
    schedule: Schedule

    def carry_out(self) -> int:
        """Try everything that is not known yet, and report; Ctrl-C reports what there is."""
        copy = self.copy
        copy.look()
        record = self._open_record()
        where = f"{copy.cluster} at {copy.commit[:7]}"
        speed = self.shop.arguments.speed
        self.terminal.say(f"rehearsal of {where} in the lab, {speed} times as fast as life:")
        for line in self.schedule.describe(copy.count_components()):
            self.terminal.say(line)
        rows: list[Row] = []
        try:
            self.shop.clear()
            rows.extend(self._try_all(record))
        except KeyboardInterrupt:
            self._report(rows, InterruptedRunError.exit_code, is_complete=False)
            self.terminal.say("stopped; the same command goes on from here")
            return InterruptedRunError.exit_code
        code = _DID_NOT_HOLD if any(row.verdict is Verdict.FAILED for row in rows) else 0
        self._report(rows, code, is_complete=True)
        return code

    def _open_record(self) -> Record:
        own = self.shop.arguments
        identity = {
            # A plain tree gets fresh keys with each copy, and hence another commit.
            "commit": self.copy.commit if self.shop.target.repo else "sample",
            "cluster": self.copy.cluster,
            "version": version("talos-lifecycle"),
            "accepted": ",".join(sorted(own.accept)),
            "charts": ",".join(map(str, self.shop.target.charts)),
            "speed": own.speed,
        }
        return open_record(
            self.shop.home / "results.jsonl", identity, is_again=self.arguments.is_again
        )

    def _try_all(self, record: Record) -> Iterator[Row]:
        plain = record.plain
        if self.schedule.needs_plain:
            row = record.find(Part.PLAIN, "plain") if plain else None
            if row is None:
                self.terminal.say("plain: bootstrapping")
                row, plain = rehearse_plain(self.shop, suggest_targets)
                record.add(row)
                if plain:
                    record.learn(plain)
                self._tell(row)
            else:
                self._tell(row, is_earlier=True)
            yield row
        yield from self._try_repository(record)
        yield from self._try_broken(record)
        if plain is None:
            if self.schedule.needs_plain:
                self.terminal.say("kills and faults of the world need a plain run that ends")
            return
        yield from self._try_kills(record, plain)
        yield from self._try_world(record, plain)

    def _try_repository(self, record: Record) -> Iterator[Row]:
        for known in self.schedule.of_repository:
            yield self._try(record, Part.FAULTS, known.name, partial(self.copy.try_fault, known))

    def _try_broken(self, record: Record) -> Iterator[Row]:
        for known in self.schedule.broken:
            trial = partial(try_broken, self.shop, self.copy, known)
            yield self._try(record, Part.BROKEN, known.name, trial)

    def _try_kills(self, record: Record, plain: Plain) -> Iterator[Row]:
        most = self.schedule.most_kills
        for moment in self.schedule.moments if Part.KILLS in self.schedule.parts else ():
            name = f"kills-{moment}-{most}" if most else f"kills-{moment}"
            kills = Kills(name, moment, most, partial(self._say_of, name))
            yield self._try(record, Part.KILLS, name, partial(kill, self.shop, kills, plain))

    def _try_world(self, record: Record, plain: Plain) -> Iterator[Row]:
        for known in self.schedule.of_world:
            yield self._try(record, Part.FAULTS, known.name, partial(self._strike, known, plain))

    def _strike(self, known: Known, plain: Plain) -> Row:
        request = known.name
        if known.target in NEEDS_TARGET:
            target = plain.targets.get(known.target, "")
            if not target:
                why = f"the cluster has no {known.target} that it could strike"
                return Row(Part.FAULTS, known.name, Verdict.DOES_NOT_APPLY, why)
            request = f"{known.name}:{target}"
        self.terminal.say(f"{known.name}: bootstrapping with --fault {request}")
        return try_fault(self.shop, known, request, plain)

    def _try(self, record: Record, part: Part, name: str, trial: Callable[[], Row]) -> Row:
        if row := record.find(part, name):
            self._tell(row, is_earlier=True)
            return row
        row = trial()
        record.add(row)
        self._tell(row)
        return row

    def _tell(self, row: Row, *, is_earlier: bool = False) -> None:
        took = f" in {format_elapsed(row.elapsed_s)}" if row.runs else ""
        when = ", as an earlier rehearsal showed" if is_earlier else took
        self.terminal.say(f"{row.name}: {row.verdict.value}{when}: {row.seen}")

    def _say_of(self, name: str, text: str) -> None:
        self.terminal.say(f"{name}: {text}")

    def _report(self, rows: list[Row], code: int, *, is_complete: bool) -> None:
        terminal = self.terminal
        if not terminal.is_json:
            terminal.show(draw_report(rows))
        for row in rows:
            if row.verdict is Verdict.FAILED:
                terminal.say(f"error: {row.name}: {row.seen}")
                if row.hint:
                    terminal.say(f"hint: {row.hint}")
                if row.log:
                    terminal.say(f"log: {row.log}")
        terminal.say(f"rehearsal: {sum_up(rows)}")
        described = describe_rows(
            rows,
            cluster=self.copy.cluster,
            commit=self.copy.commit,
            code=code,
            is_complete=is_complete,
        )
        terminal.print_json(described)
