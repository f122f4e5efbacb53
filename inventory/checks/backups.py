"""Checks of backups that nobody makes."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.checks.facts import Facts
from inventory.model import Finding, Json
from inventory.objects import get_mapping
from inventory.rules import make_finding

_Keys = tuple[str | int, ...]
_KEY = "volsync"


def check_backups(facts: Facts) -> Iterator[Finding]:
    """Yield VolSync settings where TrueCharts' common library does not look."""
    for release in facts.inventory.releases:
        if _KEY in release.chart or not facts.is_of_truecharts(release):
            continue
        if not facts.tree.mentions(release.position.path, _KEY):
            continue
        for keys in _ignored(release.values):
            message = f"VolSync of `{release.name}` is where nothing reads it: `{'.'.join(keys)}`"
            place = facts.locate(release.position, "spec", "values", *keys)
            yield make_finding("volsync-ignored", message, place)
    yield from _schedules(facts)


def _schedules(facts: Facts) -> Iterator[Finding]:
    """Yield schedules that a manual trigger beside them keeps still."""
    for _, item in (*facts.of_kind("ReplicationSource"), *facts.of_kind("HelmRelease")):
        if not facts.tree.mentions(item.position.path, "manual:"):
            continue
        for keys in _triggers(get_mapping(item.raw, "spec"), ("spec",)):
            message = f"schedule of a backup in {item} does not count beside its manual trigger"
            place = facts.locate(item.position, *keys, "manual")
            yield make_finding("backup-schedule-ignored", message, place)


def _triggers(value: Json, keys: _Keys) -> Iterator[_Keys]:
    if isinstance(value, dict):
        if value.get("manual") and value.get("schedule"):
            yield keys
        for key, item in value.items():
            yield from _triggers(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _triggers(item, (*keys, index))


def _ignored(values: Json) -> Iterator[tuple[str, ...]]:
    persistence = get_mapping(values, "persistence")
    if isinstance(values, dict) and _is_settings(values.get(_KEY)):
        yield (_KEY,)
    for name, item in persistence.items():
        if isinstance(item, dict):
            for key, inner in item.items():
                if key != _KEY:
                    yield from _nested(inner, ("persistence", name, key))


def _nested(value: Json, keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, item in value.items() if isinstance(value, dict) else ():
        if key == _KEY and _is_settings(item):
            yield (*keys, key)
        elif isinstance(item, dict):
            yield from _nested(item, (*keys, key))


def _is_settings(value: Json) -> bool:
    return isinstance(value, (list, dict)) and bool(value)
