"""What a rehearsal has shown so far, kept so that an interrupted one goes on.

It counts for one commit of the repository, one version of this program and the same options.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lifecycle.cli.rehearsing.runs import Plain
from lifecycle.cli.rehearsing.values import Part, Row, Verdict
from lifecycle.drivers.documents import (
    JsonObject,
    as_object,
    find,
    number_at,
    object_at,
    parse_json,
    text_at,
    texts_at,
)

__all__ = ["Record", "open_record"]


@dataclass(slots=True)
class Record:
    """The rows so far, by part and name, in a file that grows by a line for each."""

    file: Path
    rows: dict[tuple[Part, str], Row] = field(default_factory=dict)
    plain: Plain | None = None

    def find(self, part: Part, name: str) -> Row | None:
        """Return what is known of a trial; one that failed is tried again."""
        row = self.rows.get((part, name))
        return None if row is None or row.verdict is Verdict.FAILED else row

    def add(self, row: Row) -> None:
        """Keep a row."""
        self.rows[row.part, row.name] = row
        self._append({"row": asdict(row)})

    def learn(self, plain: Plain) -> None:
        """Keep what the plain bootstrap taught."""
        self.plain = plain
        self._append({"plain": asdict(plain)})

    def _append(self, value: Mapping[str, object]) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")


def open_record(file: Path, identity: Mapping[str, str], *, is_again: bool) -> Record:
    """Return the record of the same rehearsal, or begin a new one."""
    record = Record(file)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    head = _parse(lines[0]) if lines else {}
    if is_again or head != {"identity": dict(identity)}:
        file.write_text(json.dumps({"identity": dict(identity)}) + "\n", encoding="utf-8")
        return record
    for line in lines[1:]:
        value = _parse(line)
        if "row" in value:
            row = _read_row(object_at(value, "row"))
            record.rows[row.part, row.name] = row
        if "plain" in value:
            record.plain = _read_plain(object_at(value, "plain"))
    return record


def _parse(line: str) -> JsonObject:
    try:
        return as_object(parse_json(line))
    except ValueError:
        return {}  # the last line, cut off when the machine went down


def _read_row(value: JsonObject) -> Row:
    return Row(
        part=Part(text_at(value, "part")),
        name=text_at(value, "name"),
        verdict=Verdict(text_at(value, "verdict")),
        seen=text_at(value, "seen"),
        elapsed_s=_read_seconds(value),
        runs=number_at(value, "runs"),
        log=text_at(value, "log"),
        hint=text_at(value, "hint"),
    )


def _read_plain(value: JsonObject) -> Plain:
    return Plain(
        seen={name: text_at(value, "seen", name) for name in object_at(value, "seen")},
        steps=texts_at(value, "steps"),
        targets={name: text_at(value, "targets", name) for name in object_at(value, "targets")},
        elapsed_s=_read_seconds(value),
    )


def _read_seconds(value: JsonObject) -> float:
    found = find(value, "elapsed_s")
    return float(found) if isinstance(found, int | float) else 0.0
