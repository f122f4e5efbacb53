"""Fixtures of the refusal tests: labs that stand for many tests, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.refusals.refusals_lab import Place, RefusalLab


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RefusalLab]:
    """A lab whose machines stay in maintenance mode: no test may bring it up."""
    yield from _stand(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RefusalLab]:
    """A lab for the tests of one module, which may bring its cluster up."""
    yield from _stand(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Folders for commands that need no lab."""
    return Place(tmp_path_factory.mktemp("place"))


def _stand(folder: Path) -> Iterator[RefusalLab]:
    lab = RefusalLab(Place(folder))
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
