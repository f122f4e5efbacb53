"""What a person watches while a run goes on: a live table, or plain lines without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lifecycle.engine.ports import Event, EventName, StepState
from lifecycle.report.board import Board, Row
from lifecycle.report.cleaning import clean_text
from lifecycle.report.layout import Line, choose_lines
from lifecycle.report.words import STEP_LOOKS, format_elapsed

__all__ = ["LiveTable", "PlainLines", "Watched", "watch_run"]

_FRAMES_PER_S = 4  # enough for seconds to tick; more costs processor time
_FRAME_LINES = 4  # header, bar, notice, and the line that the cursor stands on
_BAR_CELLS = 30
_NARROWEST_TITLE = 8
_FIXED_CELLS = 18  # mark and word, time, and the blanks between columns
_QUIET_S = 30.0  # a long wait says what it sees this often, so that a CI log shows life


class LiveTable:
    """A table that redraws itself in place; a `Listener` and a context manager.

    Nothing else may write to the same terminal meanwhile: the log goes to a file.
    """

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_FRAMES_PER_S,
            transient=True,  # the result table takes its place
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._board(event)

    def tell(self, sentence: str) -> None:
        """Show one sentence below the table until the end."""
        self._board.notice = sentence
        self._live.refresh()

    def _draw(self) -> Group:
        height = self._console.size.height - _FRAME_LINES
        return draw_board(self._board, self._console, max(height, 3))


class PlainLines:
    """One line for each change of state: no colours, no control characters, nothing redrawn."""

    def __init__(self, board: Board, stream: TextIO, *, is_verbose: bool = False) -> None:
        self._board = board
        self._stream = stream
        self._is_verbose = is_verbose
        self._told: dict[str, tuple[StepState, datetime]] = {}

    def __enter__(self) -> Self:
        board = self._board
        self._write(f"{board.kind} {board.cluster}: {len(board.rows)} steps and gates")
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._board(event)
        if self._is_verbose and event.name is EventName.COMMAND_STARTED:
            self._write(clean_text(f"$ {event.fields.get('tool')} {event.fields.get('argv')}"))
        row = self._board.find(event.step)
        if row is not None and self._is_news(row, event.at):
            self._told[row.name] = (row.state, event.at)
            self._write(_format_row(row))

    def tell(self, sentence: str) -> None:
        """Write one sentence."""
        self._write(sentence)

    def _is_news(self, row: Row, at: datetime) -> bool:
        if row.name not in self._told:
            # A first sight alone is none: what already holds is told once, as done.
            return row.state is not StepState.WAITING or not row.is_step
        state, when = self._told[row.name]
        return state is not row.state or (at - when).total_seconds() >= _QUIET_S

    def _write(self, text: str) -> None:
        self._stream.write(f"[{format_elapsed(self._board.elapsed_s):>7}] {text}\n")
        self._stream.flush()


Watched = LiveTable | PlainLines


def watch_run(
    board: Board,
    stream: TextIO,
    *,
    is_live: bool,
    is_verbose: bool,
    make_console: Callable[[], Console],
) -> Watched:
    """Return the live table, or plain lines: without a terminal, and when every command counts."""
    if not is_live or is_verbose:
        return PlainLines(board, stream, is_verbose=is_verbose)
    return LiveTable(board, make_console())


def draw_board(board: Board, console: Console, height: int) -> Group:
    """Draw a run in at most `height` lines below its header."""
    is_plain = console.options.ascii_only
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", width=_fit_titles(board, console.width))
    table.add_column(no_wrap=True, justify="right", min_width=5)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for line in choose_lines(board, height):
        table.add_row(*_draw_line(line, is_plain=is_plain))
    parts: list[RenderableType] = [_draw_header(board), _draw_bar(board, is_plain=is_plain), table]
    if board.notice:
        parts.append(Text(board.notice, style="yellow", overflow="ellipsis", no_wrap=True))
    return Group(*parts)


def _fit_titles(board: Board, width: int) -> int:
    """Return the same width for every frame, so that columns stand still."""
    longest = max((len(row.title) for row in board.rows), default=0)
    return max(min(longest + 2, (width - _FIXED_CELLS) * 2 // 3), _NARROWEST_TITLE)


def _draw_header(board: Board) -> Table:
    header = Table.grid(expand=True)
    header.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    header.add_column(no_wrap=True, justify="right")
    header.add_row(
        Text(f"{board.kind} {board.cluster}", style="bold"),
        Text(f"{board.done}/{len(board.rows)}  {format_elapsed(board.elapsed_s)}"),
    )
    return header


def _draw_bar(board: Board, *, is_plain: bool) -> Text:
    full, empty = ("#", "-") if is_plain else ("█", "░")
    filled = _BAR_CELLS * board.done // max(len(board.rows), 1)
    return Text(full * filled + empty * (_BAR_CELLS - filled), style="cyan")


def _draw_line(line: Line, *, is_plain: bool) -> tuple[Text, Text, Text, Text]:
    look = STEP_LOOKS[line.state]
    mark = look.plain_mark if is_plain else look.mark
    style = "bold" if line.is_heading else ""
    indent = "" if line.is_heading else "  "
    return (
        Text(f"{mark} {look.word}", style=look.style),
        Text(indent + line.title, style=style),
        Text(format_elapsed(line.elapsed_s)),
        Text(line.seen, style="dim"),
    )


def _format_row(row: Row) -> str:
    word = STEP_LOOKS[row.state].word
    return f"{word:<8} {row.title}" + (f": {row.seen}" if row.seen else "")
