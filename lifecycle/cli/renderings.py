"""What the charts of releases bring and need, from chart folders alone; nothing is fetched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inventory import Finding, Inventory, Release, Rendered
from inventory.charts import ChartError, scan_chart
from inventory.rules import make_finding
from lifecycle.drivers.charts import ChartCache
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.tools import find_tools
from lifecycle.errors import CommandFailedError, LifecycleError
from lifecycle.secrets import Redactor
from lifecycle.store import find_cache_home
from lifecycle.world.chart_facts import ChartFacts

__all__ = ["Renderings", "render_charts"]

_HOOK = "hook:"


@dataclass(frozen=True, slots=True)
class Renderings:
    """What was seen; `missing` are releases whose chart is in no folder."""

    rendered: Rendered = field(default_factory=Rendered)
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    has_helm: bool = False


@dataclass(frozen=True, slots=True)
class _Holder:
    inventory: Inventory


@dataclass(slots=True)
class _Seen:
    provided: dict[str, frozenset[str]] = field(default_factory=dict)
    uses: dict[str, frozenset[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


async def render_charts(
    inventory: Inventory, folders: Sequence[Path], environ: Mapping[str, str]
) -> Renderings:
    """Scan the charts of live releases, and render them where helm is at hand.

    A chart that does not render is a finding. Only public facts of charts are kept, in the cache.
    """
    cache = find_cache_home(environ)
    runner = ProcessRunner(Environment.from_variables(environ), redactor=Redactor())
    path = environ.get("PATH", os.defpath)
    tools = await find_tools(("helm",), runner, path=path, cache=cache / "tools")
    program = str(tools.found["helm"].path) if "helm" in tools.found else ""
    helm = Helm(program or "helm", runner, cache / "helm")
    charts = ChartCache(tuple(folders), cache / "charts", helm)
    facts = ChartFacts(_Holder(inventory), charts, helm, cache / "facts")
    known = {r.id: archive for r in inventory.releases if (archive := _find(facts, r))}
    here = [release for release in inventory.releases if release.id in known]
    seen = _Seen()
    for release in here:
        _scan(release, known[release.id], seen, needs_rendering=bool(program))
    if program:
        # CRDs first: some charts render only when the APIs of others are known.
        await _read_crds(facts, here, seen)
        await asyncio.gather(*(_read_uses(facts, release, seen) for release in here))
    missing = tuple(release.id for release in inventory.releases if release.id not in known)
    return Renderings(_to_rendered(seen), tuple(seen.findings), missing, bool(program))


def _find(facts: ChartFacts, release: Release) -> Path | None:
    source = facts.source_of(release)
    is_name = "/" not in source.name + source.version  # a name from the repository, never a path
    return facts.charts.find(source) if source.name and is_name else None


def _scan(release: Release, archive: Path, seen: _Seen, *, needs_rendering: bool) -> None:
    """Learn what a chart brings without templates; the rest is told by rendering alone."""
    try:
        scan = scan_chart(archive.read_bytes())
    except (ChartError, OSError) as error:
        seen.findings.append(_report(release, f"`{archive.name}`: {error}"))
        return
    if not scan.crd_templates or needs_rendering:
        seen.provided[release.id] = scan.crds


async def _read_crds(facts: ChartFacts, releases: Sequence[Release], seen: _Seen) -> None:
    bringing = [
        release
        for release in releases
        if release.id in seen.provided and await facts.may_bring_crds(release)
    ]
    for name, kinds in (await facts.learn_crd_kinds(bringing)).items():
        if isinstance(kinds, LifecycleError):
            del seen.provided[name]  # told once, when the whole release is rendered
        else:
            seen.provided[name] = frozenset(f"{kind.group}/{kind.kind}" for kind in kinds)


async def _read_uses(facts: ChartFacts, release: Release, seen: _Seen) -> None:
    if any(finding.position == release.position for finding in seen.findings):
        return
    try:
        seen.uses[release.id] = await facts.kinds_of(release)
    except LifecycleError as error:
        cause = error.__cause__
        said = cause.stderr_tail.strip() if isinstance(cause, CommandFailedError) else error.message
        lines = said.splitlines() or ["helm says nothing"]
        seen.findings.append(_report(release, lines[-1].removeprefix("Error: ")))


def _report(release: Release, reason: str) -> Finding:
    message = f"chart of `{release.name}` does not render: {reason}"
    return make_finding("chart-does-not-render", message, release.position)


def _to_rendered(seen: _Seen) -> Rendered:
    return Rendered(
        provided=seen.provided,
        consumed={
            name: frozenset(use for use in uses if not use.startswith(_HOOK))
            for name, uses in seen.uses.items()
        },
        guarded={
            name: frozenset(use.removeprefix(_HOOK) for use in uses if use.startswith(_HOOK))
            for name, uses in seen.uses.items()
        },
    )
