"""Small formats that Go's libraries give: aligned tables, byte sizes, durations, quoting."""

from __future__ import annotations

import math
import time

from lab.standins.talosctl.proto import Message, number

__all__ = ["format_ago", "format_bytes", "format_duration", "format_table", "quote"]

_PADDING = 3
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_table(rows: list[list[str]]) -> str:
    """Align cells in columns three spaces apart (text/tabwriter); the last cell is not padded."""
    widths: dict[int, int] = {}
    for row in rows:
        for index, cell in enumerate(row[:-1]):
            widths[index] = max(widths.get(index, 0), len(cell))
    lines = []
    for row in rows:
        padded = [
            cell.ljust(widths[index] + _PADDING) if widths[index] else ""
            for index, cell in enumerate(row[:-1])
        ]
        lines.append("".join(padded) + row[-1] + "\n")
    return "".join(lines)


def format_bytes(size: int) -> str:
    """A size in SI units with two digits (dustin/go-humanize `Bytes`)."""
    if size < 10:  # noqa: PLR2004  humanize's own limit
        return f"{size} B"
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004  SI
        value, unit = value / 1000, unit + 1
    value = math.floor(value * 10 + 0.5) / 10
    return f"{value:.1f} {_UNITS[unit]}" if value < 10 else f"{value:.0f} {_UNITS[unit]}"  # noqa: PLR2004  two digits


def format_ago(stamp: Message) -> str:
    """Time since a protobuf timestamp as Go prints a duration rounded to seconds."""
    # A lab's clock runs ahead of this one, and then Go prints a minus.
    since = round(time.time() - number(stamp, "seconds"))
    return f"-{format_duration(-since)}" if since < 0 else format_duration(since)


def format_duration(seconds: float) -> str:
    """A duration of whole seconds as Go prints it: `1h0m5s`."""
    hours, left = divmod(round(seconds), 3600)
    minutes, left = divmod(left, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def quote(text: str) -> str:
    """Quote as Go's `%q` does for plain text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
