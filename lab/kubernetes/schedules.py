"""When something is due next by a schedule of cron, in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

__all__ = ["ScheduleError", "find_next_time"]

_DESCRIBED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# What each of the five fields may hold, and the names that it knows, from its lowest value on.
_FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_PART = re.compile(r"(\*|\?|\w+(?:-\w+)?)(?:/(\d+))?")
_YEARS = 5  # after which a schedule that never comes is given up, as robfig/cron does


class ScheduleError(ValueError):
    """A schedule cannot be read."""


def find_next_time(schedule: str, after: datetime) -> datetime | None:
    """Return the first time after another that a schedule names; None for one that never comes.

    Raises:
        ScheduleError: the schedule has another form than cron's five fields or `@daily`.
    """
    words = _DESCRIBED.get(schedule, schedule).split()
    if len(words) != len(_FIELDS):
        found = f"{len(words)}: [{' '.join(words)}]"
        message = f"expected exactly 5 fields, found {found}"
        raise ScheduleError(message)
    minutes, hours, days, months, weekdays = (
        _read_field(word, *field) for word, field in zip(words, _FIELDS, strict=True)
    )
    # Two restricted fields for days: either of them is enough (crontab(5)).
    is_either = words[2][0] not in "*?" and words[4][0] not in "*?"
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for offset in range(_YEARS * 366):
        day = (first + timedelta(days=offset)).replace(hour=0, minute=0)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month not in months or not (any(fits) if is_either else all(fits)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                found_time = day.replace(hour=hour, minute=minute)
                if found_time >= first:
                    return found_time
    return None


def _read_field(word: str, lowest: int, highest: int, names: list[str]) -> set[int]:
    """Return the values that a field of a schedule names."""
    values: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            message = f"failed to parse: {part}"
            raise ScheduleError(message)
        which, step = match.groups()
        begin, _, end = ("" if which in "*?" else which).partition("-")
        first = _read_value(begin, lowest, names) if begin else lowest
        last = _read_value(end, lowest, names) if end else (first if begin else highest)
        if begin and step and not end:
            last = highest  # 5/15: from 5 on
        if not lowest <= first <= last <= highest or step == "0":
            message = f"value out of range ({lowest} - {highest}): {part}"
            raise ScheduleError(message)
        values.update(range(first, last + 1, int(step or 1)))
    return values


def _read_value(word: str, lowest: int, names: list[str]) -> int:
    if word.lower() in names:
        return names.index(word.lower()) + lowest
    if word.isdecimal():
        return int(word)
    message = f'failed to parse int from {word}: strconv.Atoi: parsing "{word}": invalid syntax'
    raise ScheduleError(message)
