"""The log of a run: JSON lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.engine import Event, EventName
from lifecycle.report.log import RunLog

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def make_log(path: Path) -> RunLog:
    """Build a log that redacts `hunter2`."""
    return RunLog(
        path, run="bootstrap-1", cluster="home", redact=lambda text: text.replace("hunter2", "***")
    )


def test_each_event_is_one_line_with_the_usual_keys(tmp_path: Path) -> None:
    """Run and cluster are on every line; a gate's name is under `gate`, a step's under `step`."""
    with make_log(tmp_path / "run.jsonl") as log:
        log(Event(EventName.STEP_STARTED, AT, "install", {"attempt": 1}))
        log(Event(EventName.GATE_TIMED_OUT, AT, "nodes-ready", {"reason": "0 of 2"}))
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    common = {"run": "bootstrap-1", "cluster": "home", "at": "2026-11-23T02:00:00.000+00:00"}

    assert [
        common | {"event": "step.started", "level": "info", "step": "install", "attempt": 1},
        common
        | {
            "event": "gate.timed_out",
            "level": "error",
            "gate": "nodes-ready",
            "reason": "0 of 2",
        },
    ] == lines


def test_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    """The last line of a run that hangs or is killed can be read."""
    with make_log(tmp_path / "run.jsonl") as log:
        log(Event(EventName.STEP_STARTED, AT, "install"))

        assert "step.started" in (tmp_path / "run.jsonl").read_text()


def test_secrets_are_redacted_wherever_they_are(tmp_path: Path) -> None:
    """Known secret values are masked in fields and in tracebacks."""
    with make_log(tmp_path / "run.jsonl") as log:
        log(Event(EventName.STEP_FAILED, AT, "install", {"reason": "token hunter2 refused"}))
        log.record_crash("ValueError: hunter2")

    assert "hunter2" not in (tmp_path / "run.jsonl").read_text()


def test_log_goes_to_its_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed: the terminal belongs to the live table."""
    with make_log(tmp_path / "run.jsonl") as log:
        log(Event(EventName.RUN_FINISHED, AT))

    assert ("", "") == tuple(capsys.readouterr())


def test_log_is_private_and_made_when_needed(tmp_path: Path) -> None:
    """A run that was refused before it began leaves no log; others leave a private one."""
    path = tmp_path / "run.jsonl"
    with make_log(path) as log:
        before = path.exists()
        log(Event(EventName.RUN_STARTED, AT))

    assert (False, 0o600) == (before, path.stat().st_mode & 0o777)
