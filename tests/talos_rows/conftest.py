"""Both tools for each test, and the record of what the real one has proven."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci.talos_rows import RECORD_VARIABLE, record_proof
from tests.lab_machines.conftest import make_world
from tests.talos_rows.talos_rows_kubernetes import kubernetes
from tests.talos_rows.talos_rows_tool import Talosctl, find_real, make_standin

__all__ = ["kubernetes", "make_world", "talosctl"]

_REAL = "real"


@pytest.fixture(params=["stand-in", _REAL])
def talosctl(request: pytest.FixtureRequest, tmp_path: Path) -> Talosctl:
    """The stand-in, and the real talosctl where one is on PATH."""
    if request.param != _REAL:
        return make_standin(tmp_path)
    found = find_real(tmp_path)
    return found or pytest.skip("no real talosctl on PATH")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record a proof by the real tool, when asked to (`python -m ci.talos_rows`)."""
    if RECORD_VARIABLE in os.environ and report.when == "call" and report.passed:
        name, _, parameter = report.nodeid.rpartition("::")[2].partition("[")
        if parameter.startswith(_REAL):
            record_proof(name, _read_version())


def _read_version() -> str:
    said = subprocess.run(
        ["talosctl", "version", "--client", "--short"], capture_output=True, text=True, check=True
    )
    return said.stdout.split()[-1].removeprefix("v")
