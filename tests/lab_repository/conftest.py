"""What the repository tests share: one materialized sample, and where the shared data lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools

_SHARED = Path(__file__).parents[3] / "shared" / "data" / "repos"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> MaterializedRepository:
    """The shipped sample, materialized once; read it, never write it."""
    return materialize(find_sample(), tmp_path_factory.mktemp("sample"), LabTools())


@pytest.fixture
def shared_repos() -> Path:
    """The folder of shared trees; skips where the checkout has none beside it."""
    if not _SHARED.is_dir():
        pytest.skip("needs ../shared/data/repos")
    return _SHARED
