"""Fixtures of the diagnosis tests: one broken cluster that every test only looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.errors import ToolMissingError
from tests.diagnosis.diagnosis_world import BrokenWorld, run_broken_world


@pytest.fixture(scope="session")
def programs() -> tuple[Path, ...]:
    """Folders of the real kubectl and helm; skips where they cannot be had."""
    try:
        return find_lab_tools()
    except ToolMissingError as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(
    programs: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrokenWorld]:
    """A cluster whose components are broken, each in a way of its own."""
    async with run_broken_world(tmp_path_factory.mktemp("broken"), programs) as world:
        yield world
