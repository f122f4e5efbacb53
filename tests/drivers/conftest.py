"""Fixtures of the driver tests: executables, runners, and an API server with its client."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lifecycle.drivers._wheels import find_in_wheel
from lifecycle.drivers.kubernetes import Kubernetes, parse_kubeconfig
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.tools import TOOLS
from lifecycle.secrets import Redactor
from tests.drivers.api_server import DECLARED, ApiServer, Authority
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


@pytest.fixture
def real_tool() -> Callable[[str], str]:
    """A finder of real programs, on PATH or in wheels; the test is skipped without one."""

    def find(name: str) -> str:
        spec = TOOLS[name]
        found = shutil.which(name) or (spec.wheel and find_in_wheel(spec.wheel, name))
        if not found:
            pytest.skip(f"no {name} on PATH nor in a wheel")
        return str(found)

    return find


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """An API server that listens."""
    async with ApiServer(Authority()).listening(tmp_path) as listening:
        yield listening


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Kubernetes]:
    """A client of it."""
    kubeconfig = parse_kubeconfig(server.kubeconfig(f"https://{DECLARED}:{server.port}"))
    async with Kubernetes(kubeconfig, address=DECLARED, dialled="127.0.0.1") as found:
        yield found
