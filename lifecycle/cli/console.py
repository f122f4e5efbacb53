"""Where output goes: data to stdout, everything else to stderr; one document in JSON mode."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from lifecycle.errors import LifecycleError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from lifecycle.report.values import Json

__all__ = ["Terminal", "open_terminal"]

_WIDTH_WITHOUT_TERMINAL = 120  # a log viewer's usual width; COLUMNS overrides it


@dataclass(frozen=True, slots=True)
class Terminal:
    """The three standard streams and how they may be used."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    is_json: bool = False
    columns: str = ""

    @property
    def is_live(self) -> bool:
        """Tell whether stderr can redraw lines; FORCE_COLOR and the like do not make it so."""
        return self.stderr.isatty() and os.environ.get("TERM", "") != "dumb"

    @property
    def can_ask(self) -> bool:
        """Tell whether there is somebody to answer a question."""
        return self.stdin.isatty() and self.stderr.isatty()

    def show(self, renderable: RenderableType) -> None:
        """Show a table: data, hence on stdout; nothing in JSON mode."""
        if not self.is_json:
            self._print(self.stdout, renderable)

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show names and values on stdout, never wrapped: a command among them can be copied."""
        if not self.is_json:
            width = max(len(name) for name, _ in facts)
            self.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in facts)
            self.stdout.flush()

    def show_aside(self, renderable: RenderableType) -> None:
        """Show something on stderr, also in JSON mode."""
        self._print(self.stderr, renderable)

    def say(self, text: str) -> None:
        """Write one line to stderr."""
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def print_json(self, value: Json, key: str = "", items: Iterable[Json] = ()) -> None:
        """Write the one document of JSON mode; nothing otherwise.

        Args:
            value: The document.
            key: The key of an empty list in it, unique in the document.
            items: What that list holds; it is written as it is made, and never held as a whole.
        """
        if not self.is_json:
            return
        if key:
            head, mark, tail = json.dumps(value, indent=2, ensure_ascii=False).partition(
                f'"{key}": ['
            )
            self.stdout.write(head + mark)
            for number, item in enumerate(items):
                self.stdout.write("," if number else "")
                self.stdout.write("\n" + json.dumps(item, indent=2, ensure_ascii=False))
            self.stdout.write(tail)
        else:
            json.dump(value, self.stdout, indent=2, ensure_ascii=False)
        self.stdout.write("\n")
        self.stdout.flush()

    def show_error(self, error: LifecycleError) -> None:
        """Write an error and its hint to stderr, each on its own line."""
        self.say(f"error: {error.message}")
        if error.hint:
            self.say(f"hint: {error.hint}")

    def make_live_console(self) -> Console:
        """Return the console of the live table."""
        return self._make_console(self.stderr)

    def restore(self) -> None:
        """Show the cursor again: the live table hid it, and the process ends at once."""
        if self.is_live:
            # Past the stream's buffer: a signal handler may have interrupted a write to it.
            os.write(self.stderr.fileno(), b"\x1b[?25h\n")

    def _print(self, stream: TextIO, renderable: RenderableType) -> None:
        console = self._make_console(stream)
        if stream.isatty():
            console.print(renderable)
            return
        with console.capture() as capture:
            console.print(renderable)
        # rich fills each line with blanks up to the width: of no use in a file.
        stream.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())
        stream.flush()

    def _make_console(self, stream: TextIO) -> Console:
        from rich.console import Console  # noqa: PLC0415 (start-up)

        is_terminal = stream.isatty()
        width = int(self.columns) if self.columns.isdigit() else _WIDTH_WITHOUT_TERMINAL
        return Console(
            file=stream,
            force_terminal=is_terminal,
            width=None if is_terminal else width,
            markup=False,
            highlight=False,
            emoji=False,
        )


def open_terminal(environ: Mapping[str, str], *, is_json: bool = False) -> Terminal:
    """Return the process's own streams."""
    return Terminal(
        sys.stdin, sys.stdout, sys.stderr, is_json=is_json, columns=environ.get("COLUMNS", "")
    )
