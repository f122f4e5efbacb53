"""Fixtures of the driver tests: stub executables, a runner for them, a scripted runner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.secrets import Redactor
from tests.drivers.fakes import ScriptedRunner, Stub


@pytest.fixture
def scripted() -> ScriptedRunner:
    """A runner that runs nothing."""
    return ScriptedRunner()


@pytest.fixture
def redactor() -> Redactor:
    """A redactor that knows nothing yet."""
    return Redactor()


@pytest.fixture
def runner(redactor: Redactor) -> ProcessRunner:
    """A runner of real processes with a short grace."""
    environment = Environment.from_variables(os.environ)
    return ProcessRunner(environment, redactor=redactor, grace_s=0.3)


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """A maker of executables: name and Python code in, path out."""

    def make(name: str, code: str) -> Path:
        folder = tmp_path / "stubs"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"#!{sys.executable} -SI\n{code}\n")
        path.chmod(0o755)
        return path

    return make
