"""When something is due next by a schedule of cron, in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from inventory.cron import parse_schedule

__all__ = ["find_next_time"]

_YEARS = 5  # after which a schedule that never comes is given up, as robfig/cron does


def find_next_time(
    schedule: str, after: datetime, *, with_seconds: bool = False
) -> datetime | None:
    """Return the first time after another that a schedule names; None for one that never comes.

    Seconds are read `with_seconds`, as CloudNativePG has them first, and are left out of account.

    Raises:
        ScheduleError: the schedule cannot be read.
    """
    read = parse_schedule(schedule, with_seconds=with_seconds)
    if not read.fields:
        return None  # an interval, which VolSync's definitions do not let pass
    _, minutes, hours, days, months, weekdays = read.fields
    # Two restricted fields for days: either of them is enough (crontab(5)).
    is_either = not (read.is_any_day or read.is_any_weekday)
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
