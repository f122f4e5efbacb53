"""Schedules as Kubernetes and its operators read them, of robfig/cron and VolSync.

https://github.com/robfig/cron/blob/v3.0.1/parser.go is what Kubernetes, VolSync, Longhorn and
Velero use, its words are here; CloudNativePG uses version 1, which has a field for seconds and
knows no zones. Whether a zone exists is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Schedule", "ScheduleError", "fits_volsync_pattern", "has_zone", "parse_schedule"]

_DESCRIBED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = "@every "
_DURATION: Final = re.compile(r"[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)\Z")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+\Z")
_ZONE: Final = re.compile(r"(?:CRON_)?TZ=")
# One field of VolSync's pattern; five of them, with or without a space between, end the text.
_ITEM_TEXT: Final = r"(?:(?:[0-9]+,)*[0-9]+|[0-9]+[/-][0-9]+|\*(?:/[0-9]+)?)"
_ITEM: Final = re.compile(_ITEM_TEXT + r"[\t\n\f\r ]?")
_PLAIN: Final = re.compile(_ITEM_TEXT + rf"(?: {_ITEM_TEXT}){{4}}")
_ITEMS: Final = 5
_VOLSYNC_NAMED: Final = re.compile(r"@(?:annually|yearly|monthly|weekly|daily|hourly)")
_LONGEST: Final = 120  # arbitrary, four times what a schedule has; longer ones are let pass


class ScheduleError(ValueError):
    """A schedule cannot be read, in the words of robfig/cron."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a schedule says.

    Attributes:
        fields: The values for second, minute, hour, day, month and day of the week; none at all
            for `@every`.
        is_any_day: Whether the field of days says `*` or `?`.
        is_any_weekday: Whether that of the days of the week does.
    """

    fields: tuple[frozenset[int], ...] = ()
    is_any_day: bool = False
    is_any_weekday: bool = False


@dataclass(frozen=True, slots=True)
class _Bounds:
    least: int
    most: int
    names: Mapping[str, int] = field(default_factory=dict)


_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: Final = (
    _Bounds(0, 59),
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def parse_schedule(text: str, *, with_seconds: bool = False) -> Schedule:
    """Return what a schedule says.

    Args:
        text: The schedule, with every variable filled in.
        with_seconds: Whether a field for seconds comes first and the day of the week may be
            absent, as CloudNativePG has it.

    Raises:
        ScheduleError: It cannot be read.
    """
    if not with_seconds and has_zone(text):
        zone, _, text = text.partition(" ")
        if not text.strip():
            message = f"nothing follows {zone}"  # the real one ends its process
            raise ScheduleError(message)
        text = text.strip()
    if text.startswith("@"):
        text = _describe(text)
        if not text:
            return Schedule()
        with_seconds = False
    words = _complete(text.split(), with_seconds=with_seconds)
    read = tuple(_read_field(word, bounds) for word, bounds in zip(words, _BOUNDS, strict=True))
    return Schedule(read, is_any_day=_is_any(words[3]), is_any_weekday=_is_any(words[5]))


def has_zone(text: str) -> bool:
    """Say whether a schedule names its time zone itself."""
    return _ZONE.match(text) is not None


def fits_volsync_pattern(text: str) -> bool:
    """Say whether the pattern of VolSync's CRDs lets a schedule pass.

    Its second half is bound to the end of the text only, so that six fields pass as five do.
    https://github.com/backube/volsync/blob/main/api/v1alpha1/replicationsource_types.go
    """
    if _PLAIN.fullmatch(text) or _VOLSYNC_NAMED.match(text) or len(text) > _LONGEST:
        return True
    ends = {len(text)}
    for _ in range(_ITEMS):
        ends = {start for end in ends for start in range(end) if _ITEM.fullmatch(text, start, end)}
    return bool(ends)


def _describe(text: str) -> str:
    """Return the five fields that a word stands for; empty for an interval."""
    if text.startswith(_EVERY):
        rest = text.removeprefix(_EVERY)
        if _DURATION.match(rest):
            return ""
        message = f'failed to parse duration {text}: time: invalid duration "{rest}"'
        raise ScheduleError(message)
    if text not in _DESCRIBED:
        message = f"unrecognized descriptor: {text}"
        raise ScheduleError(message)
    return _DESCRIBED[text]


def _complete(words: list[str], *, with_seconds: bool) -> list[str]:
    """Return all six fields."""
    least = len(_BOUNDS) - 1
    if with_seconds and len(words) in {least, least + 1}:
        return [*words, "*"][: len(_BOUNDS)]
    if not with_seconds and len(words) == least:
        return ["0", *words]
    wanted = f"{least} to {least + 1}" if with_seconds else f"exactly {least}"
    message = f"expected {wanted} fields, found {len(words)}: [{' '.join(words)}]"
    raise ScheduleError(message)


def _read_field(text: str, bounds: _Bounds) -> frozenset[int]:
    values: set[int] = set()
    for part in filter(None, text.split(",")):
        values.update(_read_range(part, bounds))
    return frozenset(values)


def _is_any(text: str) -> bool:
    """Say whether a field leaves the choice to others: `*`, without a step."""
    return any(part.removesuffix("/1") in {"*", "?"} for part in text.split(","))


def _read_range(text: str, bounds: _Bounds) -> range:
    ends, *steps = text.split("/")
    low, *highs = ends.split("-")
    if low in {"*", "?"}:
        first, last = bounds.least, bounds.most
    else:
        first = _read_number(low, bounds.names)
        if len(highs) > 1:
            message = f"too many hyphens: {text}"
            raise ScheduleError(message)
        last = _read_number(highs[0], bounds.names) if highs else first
    if len(steps) > 1:
        message = f"too many slashes: {text}"
        raise ScheduleError(message)
    step = _read_number(steps[0], {}) if steps else 1
    if steps and not highs:
        last = bounds.most  # 5/15: from 5 on
    _check_range(text, first, last, step, bounds)
    return range(first, last + 1, step)


def _check_range(text: str, first: int, last: int, step: int, bounds: _Bounds) -> None:
    reason = ""
    if first < bounds.least:
        reason = f"beginning of range ({first}) below minimum ({bounds.least})"
    elif last > bounds.most:
        reason = f"end of range ({last}) above maximum ({bounds.most})"
    elif first > last:
        reason = f"beginning of range ({first}) beyond end of range ({last})"
    elif step == 0:
        reason = "step of range should be a positive number"
    if reason:
        message = f"{reason}: {text}"
        raise ScheduleError(message)


def _read_number(text: str, names: Mapping[str, int]) -> int:
    if (number := names.get(text.lower())) is not None:
        return number
    if not _WHOLE.match(text):
        said = f'strconv.Atoi: parsing "{text}": invalid syntax'
        message = f"failed to parse int from {text}: {said}"
        raise ScheduleError(message)
    if int(text) < 0:
        message = f"negative number ({int(text)}) not allowed: {text}"
        raise ScheduleError(message)
    return int(text)
