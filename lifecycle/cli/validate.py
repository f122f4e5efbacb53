"""`validate`: what would break a bootstrap, an upgrade or a rebuild, without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inventory import Finding, Inventory, Severity, judge_rendered, read_repository
from inventory.acceptance import (
    FILE_NAME,
    Acceptance,
    AcceptanceError,
    Judged,
    judge,
    read_acceptances,
)
from inventory.seed_kit import Item, Place
from inventory.summary import describe_finding
from lifecycle.cli.console import Terminal
from lifecycle.cli.reading import (
    ReadingArguments,
    choose_clusters,
    clean_json,
    read_target,
    run_reading,
)
from lifecycle.errors import InventoryError, PlanError
from lifecycle.secrets import Redactor

if TYPE_CHECKING:
    from inventory.acceptance import Acceptance
    from lifecycle.cli.requests import ClusterRequest
    from lifecycle.report.values import Json

__all__ = ["EXIT_CODES", "Verdict", "examine", "find_exit_code", "validate"]

# As `plan`, which ends with 10 when there is something to do, and InventoryError, which is 2.
EXIT_CODES: Final[Mapping[Severity, int]] = {
    Severity.INFO: 0,
    Severity.WARNING: 10,
    Severity.ERROR: 2,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: `clusters` maps each finding to the clusters that it concerns."""

    names: tuple[str, ...]
    judged: Judged
    clusters: Mapping[Finding, tuple[str, ...]]
    seed_kit: Mapping[str, tuple[Item, ...]]
    notes: tuple[str, ...]


def validate(arguments: ReadingArguments, environ: Mapping[str, str]) -> int:
    """Show what is wrong; the exit code is that of the worst finding nobody accepted."""

    def command(terminal: Terminal, redactor: Redactor) -> int:
        verdict = examine(arguments, environ, redactor)
        code = find_exit_code(verdict)
        if arguments.sarif:
            _print_sarif(verdict, terminal)
        elif arguments.json:
            terminal.print_json(clean_json(_describe(verdict, code)))
        else:
            from lifecycle.cli.validate_tables import draw_verdict  # noqa: PLC0415 (start-up)

            terminal.show(draw_verdict(verdict))
        return code

    return run_reading(arguments, environ, command)


def examine(arguments: ReadingArguments, environ: Mapping[str, str], redactor: Redactor) -> Verdict:
    """Read the repository and judge its findings; nothing is written to it.

    Raises:
        PlanError: a folder, a file or a cluster that is not there, or arguments that contradict.
        InventoryError: the file of accepted findings is wrong, or no Git repository for a seed kit.
        DriverError: a tool that was asked for is missing or fails.
    """
    if arguments.sarif and arguments.json:
        raise PlanError("--json and --sarif are two outputs: `--sarif`", hint="leave out one")
    repo, target = read_target(arguments, environ)
    names = choose_clusters(repo, target.cluster)
    acceptances = _read_accepted(repo, arguments.accepted)
    reader = _Reader(repo, target, environ, redactor)
    inventories = reader.read(names)
    kits = reader.read_seed_kits(names) if arguments.seed_kit else {}
    if arguments.online:
        reader.ask_online(inventories)
    clusters: dict[Finding, tuple[str, ...]] = {}
    for inventory in inventories:
        for finding in {_clean(finding, redactor) for finding in inventory.findings}:
            clusters[finding] = (*clusters.get(finding, ()), inventory.cluster)
    for finding in reader.findings:
        clusters.setdefault(_clean(finding, redactor), names)
    judged = judge(sorted(clusters, key=_order), acceptances, datetime.now(UTC).date())
    notes = tuple(redactor.redact(note) for note in reader.notes)
    return Verdict(names, judged, clusters, kits, notes)


def find_exit_code(verdict: Verdict) -> int:
    """Return the code of the worst open finding; something missing for a rebuild is a warning."""
    severities = {finding.severity for finding in verdict.judged.open}
    items = [item for kit in verdict.seed_kit.values() for item in kit]
    if any(item.place is Place.MISSING for item in items):
        severities.add(Severity.WARNING)
    worst = next((severity for severity in Severity if severity in severities), Severity.INFO)
    return EXIT_CODES[worst]


@dataclass(slots=True)
class _Reader:
    """Reads what was asked for; tools are looked for only where an option or a file needs one."""

    repo: Path
    target: ClusterRequest
    environ: Mapping[str, str]
    redactor: Redactor
    findings: list[Finding] = field(default_factory=list)  # of the whole repository
    notes: list[str] = field(default_factory=list)
    overlay: Mapping[str, str] = field(default_factory=dict, repr=False)

    def read(self, names: Iterable[str]) -> tuple[Inventory, ...]:
        """Return the inventories, decrypted and rendered as far as that can be done."""
        from lifecycle.cli.decryption import decrypt_folder  # noqa: PLC0415 (start-up)

        key = self.target.age_key_file
        done = decrypt_folder(self.repo, key, self.environ, self.redactor)
        self.overlay = done.overlay
        self.findings += done.findings
        self.notes += [done.note] if done.note else []
        found = tuple(read_repository(self.repo, name, self.overlay) for name in names)
        return tuple(self._render(item) for item in found) if self.target.charts else found

    def read_seed_kits(self, names: Iterable[str]) -> Mapping[str, tuple[Item, ...]]:
        """Return what a rebuild of each cluster needs."""
        from asyncio import run  # noqa: PLC0415 (start-up)

        from lifecycle.cli.seed_kit import read_seed_kits  # noqa: PLC0415 (start-up)

        return run(read_seed_kits(self.repo, names, self.environ))

    def ask_online(self, inventories: Sequence[Inventory]) -> None:
        """Ask servers for what the repository names."""
        from asyncio import run  # noqa: PLC0415 (start-up)

        from lifecycle.cli.online import check_online  # noqa: PLC0415 (start-up)

        answer = run(check_online(inventories, self.environ, self.overlay))
        self.findings += answer.findings
        self.notes += answer.notes

    def _render(self, inventory: Inventory) -> Inventory:
        from asyncio import run  # noqa: PLC0415 (start-up)

        from lifecycle.cli.renderings import render_charts  # noqa: PLC0415 (start-up)

        seen = run(render_charts(inventory, self.target.charts, self.environ))
        self.findings += seen.findings
        if not seen.has_helm:
            self.notes.append("there is no helm: charts were searched, not rendered")
        if seen.missing:
            names = ", ".join(seen.missing)
            self.notes.append(f"charts of {inventory.cluster} that no folder has: {names}")
        return judge_rendered(inventory, seen.rendered, self.overlay)


def _read_accepted(repo: Path, given: str) -> tuple[Acceptance, ...]:
    """Read the named file, else the one that lies in the repository."""
    path = Path(given).expanduser() if given else repo / FILE_NAME
    if not given and not path.is_file():
        return ()
    try:
        return read_acceptances(path.name, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(
            f"accepted findings cannot be read: `{path}`: {error.strerror}",
            hint=f"see `ls -l {path}`",
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError(
            f"accepted findings are not text: `{path}`", hint="save as UTF-8"
        ) from error
    except AcceptanceError as error:
        place = error.position
        raise InventoryError(
            str(error),
            path=place.path,
            line=place.line,
            column=place.column,
            hint="each item needs `id` and `reason`, and may have `path`, `message` and `until`",
        ) from error


def _clean(finding: Finding, redactor: Redactor) -> Finding:
    """Return a finding that may be shown: decrypted values never leave the process."""
    message, hint = redactor.redact(finding.message), redactor.redact(finding.hint)
    if (message, hint) == (finding.message, finding.hint):
        return finding  # tens of thousands are not copied
    return replace(finding, message=message, hint=hint)


def _order(finding: Finding) -> tuple[int, str, int, int, str, str]:
    """Sort the worst first, then by place."""
    place = finding.position
    rank = list(Severity).index(finding.severity)
    return (rank, place.path, place.line, place.column, finding.id, finding.message)


def _print_sarif(verdict: Verdict, terminal: Terminal) -> None:
    from importlib.metadata import version  # noqa: PLC0415 (start-up)

    from inventory.sarif import build_sarif, sarif_results  # noqa: PLC0415 (start-up)

    judged = verdict.judged
    log = build_sarif(version("talos-lifecycle"))
    results = sarif_results(judged.open, judged.accepted, judged.reasons)
    terminal.print_json(clean_json(log), "results", map(clean_json, results))


def _describe(verdict: Verdict, code: int) -> Json:
    judged = verdict.judged
    return {
        "clusters": list(verdict.names),
        "exit_code": code,
        "counts": {s.value: sum(f.severity is s for f in judged.open) for s in Severity},
        "findings": [_describe_one(finding, verdict) for finding in judged.open],
        "accepted": [
            {**_describe_one(finding, verdict), "reason": reason}
            for finding, reason in zip(judged.accepted, judged.reasons, strict=True)
        ],
        "accepted_in_vain": [_describe_acceptance(item) for item in judged.unused],
        "accepted_no_more": [_describe_acceptance(item) for item in judged.expired],
        "seed_kit": {name: [_describe_item(i) for i in kit] for name, kit in _kits(verdict)},
        "notes": list(verdict.notes),
    }


def _describe_acceptance(item: Acceptance) -> Json:
    until = item.until.isoformat() if item.until else ""
    return {
        "id": item.id,
        "reason": item.reason,
        "position": str(item.position),
        "until": until,
    }


def _kits(verdict: Verdict) -> Iterable[tuple[str, tuple[Item, ...]]]:
    return verdict.seed_kit.items()


def _describe_one(finding: Finding, verdict: Verdict) -> dict[str, Json]:
    return {**describe_finding(finding), "clusters": list(verdict.clusters[finding])}


def _describe_item(item: Item) -> Json:
    place = str(item.position) if item.position else ""
    return {"name": item.name, "place": item.place.value, "reason": item.reason, "position": place}
