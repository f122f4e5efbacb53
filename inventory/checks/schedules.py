"""Checks of schedules: what refuses them, what never follows them, what reads them otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from inventory.checks.facts import Facts
from inventory.cron import ScheduleError, fits_volsync_pattern, parse_schedule
from inventory.model import Finding, Json, Position, Release
from inventory.objects import children, get, get_at, get_text
from inventory.rules import make_finding

_Keys: TypeAlias = tuple[str | int, ...]
_WITHOUT_SECONDS: Final = 5
_ANY: Final = "*"  # every key of a mapping or place in a list


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads a schedule.

    Attributes:
        refuser: Who refuses what it cannot read; empty when it is accepted and never followed.
    """

    name: str
    refuser: str = ""
    with_seconds: bool = False


_KUBERNETES: Final = _Reader("Kubernetes", "the API server")
_VOLSYNC: Final = _Reader("VolSync")
_LONGHORN: Final = _Reader("Longhorn", "Longhorn's webhook")
_CNPG: Final = _Reader("CloudNativePG", "its webhook", with_seconds=True)
_VELERO: Final = _Reader("Velero")

_OBJECTS: Final[Mapping[str, tuple[str, _Reader, tuple[str, ...]]]] = {
    "CronJob": ("batch", _KUBERNETES, ("spec", "schedule")),
    "ReplicationSource": ("volsync.backube", _VOLSYNC, ("spec", "trigger", "schedule")),
    "ReplicationDestination": ("volsync.backube", _VOLSYNC, ("spec", "trigger", "schedule")),
    "RecurringJob": ("longhorn.io", _LONGHORN, ("spec", "cron")),
    "ScheduledBackup": ("postgresql.cnpg.io", _CNPG, ("spec", "schedule")),
    "Schedule": ("velero.io", _VELERO, ("spec", "schedule")),
}


@dataclass(frozen=True, slots=True)
class _Value:
    """Where values of a chart hold a schedule.

    Attributes:
        keys: The way to it; what is switched off on the way ends it.
        depth: How many of the keys lead to the mapping that says whether the schedule counts.
        mark: The key in that mapping, and its value then.
    """

    reader: _Reader
    keys: _Keys
    depth: int = 0
    mark: tuple[str, Json] = ("", None)


_BACKUPS: Final = ("backups", "scheduledBackups", _ANY, "schedule")
# https://github.com/trueforge-org/truecharts/tree/master/charts/library/common/templates
_TRUECHARTS: Final = (
    _Value(
        _VOLSYNC,
        ("persistence", _ANY, "volsync", _ANY, "src", "trigger", "schedule"),
        5,
        ("enabled", True),
    ),
    _Value(_CNPG, ("cnpg", _ANY, *_BACKUPS), 3, ("enabled", True)),
    _Value(_KUBERNETES, ("workload", _ANY, "schedule"), 2, ("type", "CronJob")),
)
# https://github.com/bjw-s-labs/helm-charts and https://github.com/vmware-tanzu/helm-charts
_CHARTS: Final[Mapping[str, tuple[_Value, ...]]] = {
    "app-template": (
        _Value(_KUBERNETES, ("controllers", _ANY, "cronjob", "schedule"), 2, ("type", "cronjob")),
    ),
    "velero": (_Value(_VELERO, ("schedules", _ANY, "schedule")),),
}


@dataclass(frozen=True, slots=True)
class _Schedule:
    """One schedule: whose it is, who reads it, what it says and where."""

    owner: str
    reader: _Reader
    text: str
    position: Position
    keys: _Keys


def check_schedules(facts: Facts) -> Iterator[Finding]:
    """Yield schedules that are refused, never followed, or mean another time than they seem to."""
    for found in (*_of_objects(facts), *_of_releases(facts)):
        text = facts.fill(found.text)
        if not text or "${" in text or "{{" in text:
            continue
        rule, message = _judge(found, text)
        if rule:
            place = facts.locate(found.position, *found.keys)
            yield make_finding(rule, f"{message}: `{text}`", place)


def _judge(found: _Schedule, text: str) -> tuple[str, str]:
    """Return the rule that a schedule breaks, and how; empty ones when it is right."""
    reader, of = found.reader, f"schedule of {found.owner}"
    reason, refuser = _explain(text, reader), reader.refuser
    if reader is _VOLSYNC and not fits_volsync_pattern(text):
        reason = reason or "it takes numbers, `*`, `,`, `-`, `/` and words such as @daily only"
        refuser = "the CRD"
    if reason and refuser:
        return "schedule-refused", f"{of} is refused by {refuser}: {reason}"
    if reason:
        return "schedule-unreadable", f"{reader.name} cannot read the {of}: {reason}"
    if reader.with_seconds and len(text.split()) == _WITHOUT_SECONDS:
        said = f"{reader.name} takes them for second, minute, hour, day and month"
        return "schedule-by-seconds", f"{of} has five fields, and {said}"
    return "", ""


def _explain(text: str, reader: _Reader) -> str:
    """Return why a schedule cannot be read; empty when it can."""
    if reader is _KUBERNETES and "TZ" in text:
        return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    try:
        parse_schedule(text, with_seconds=reader.with_seconds)
    except ScheduleError as error:
        return str(error)
    return ""


def _of_objects(facts: Facts) -> Iterator[_Schedule]:
    for kind, (group, reader, keys) in _OBJECTS.items():
        for _, item in facts.of_kind(kind):
            if item.group == group:
                text = get_text(item.raw, *keys)
                yield _Schedule(str(item), reader, text, item.position, keys)


def _of_releases(facts: Facts) -> Iterator[_Schedule]:
    for release in facts.inventory.releases:
        if facts.tree.mentions(release.position.path, "schedule"):
            is_truecharts = facts.is_of_truecharts(release)
            for value in _TRUECHARTS if is_truecharts else _CHARTS.get(release.chart, ()):
                yield from _of_value(release, value)


def _of_value(release: Release, value: _Value) -> Iterator[_Schedule]:
    name, wanted = value.mark
    for keys, text in _walk(release.values, value.keys, ()):
        if not value.depth or get(get_at(release.values, keys[: value.depth]), name) == wanted:
            place = ("spec", "values", *keys)
            owner = f"HelmRelease/{release.name}"
            yield _Schedule(owner, value.reader, text, release.position, place)


def _walk(value: Json, ways: _Keys, keys: _Keys) -> Iterator[tuple[_Keys, str]]:
    """Yield the texts at the end of the ways, with their keys."""
    if not ways:
        if isinstance(value, str):
            yield keys, value
        return
    if get(value, "enabled") is False or get(value, "disabled") is True:
        return
    for key, inner in children(value):
        if ways[0] in {_ANY, key}:
            yield from _walk(inner, ways[1:], (*keys, key))
