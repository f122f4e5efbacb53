"""The console of zerolog, which ClusterTool logs to: time, level, message, error."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TextIO

__all__ = ["Console"]

_COLORS = {"INF": 32, "WRN": 33, "ERR": 31, "FTL": 31}
_GREY, _BOLD, _CYAN, _RED = 90, 1, 36, 31


class Console:
    """Writes lines as zerolog's ConsoleWriter does, in colour unless `DEBUG` or `NO_COLOR`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colored = not os.environ.get("DEBUG") and not os.environ.get("NO_COLOR")

    def write(self, text: str) -> None:
        """Write plain text, as `fmt.Printf` does."""
        self._stream.write(text)
        self._stream.flush()

    def info(self, message: str) -> None:
        """Log at level info."""
        self._log("INF", message, "")

    def warn(self, message: str) -> None:
        """Log at level warn."""
        self._log("WRN", message, "")

    def error(self, message: str, error: str = "") -> None:
        """Log at level error."""
        self._log("ERR", message, error)

    def fatal(self, message: str, error: str = "") -> None:
        """Log at level fatal; the caller ends with exit code 1."""
        self._log("FTL", message, error)

    def _log(self, level: str, message: str, error: str) -> None:
        stamp = datetime.now().astimezone().isoformat(timespec="seconds").replace("+00:00", "Z")
        parts = [
            self._paint(stamp, _GREY),
            self._paint(level, _COLORS[level]),
            self._paint(message, _BOLD),
        ]
        if error:
            text = json.dumps(error, ensure_ascii=False) if _needs_quotes(error) else error
            parts.append(self._paint("error=", _CYAN) + self._paint(text, _RED))
        self.write(" ".join(parts) + "\n")

    def _paint(self, text: str, color: int) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._colored else text


def _needs_quotes(text: str) -> bool:
    return any(char < "!" or char > "~" or char in '\\"' for char in text)
