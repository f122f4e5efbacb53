"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A cluster repository with one cluster, `home`, and nothing in it."""
    folder = tmp_path / "repo"
    (folder / "clusters" / "home").mkdir(parents=True)
    (folder / "clusters" / "home" / "clusterenv.yaml").write_text("CLUSTERNAME: home\n")
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose state lies in the test's own folder."""
    return {"TALOS_LIFECYCLE_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
