"""Fixtures of the tests of `inventory`, `graph` and `validate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.validate.validate_shell import ENTRY, Shell, write


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell whose home is empty."""
    home = tmp_path / "home"
    home.mkdir()
    return Shell(home)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A folder with one cluster, `home`, that Flux could apply; not in Git, nothing is wrong."""
    folder = tmp_path / "repo"
    write(folder, {"clusters/home/clusterenv.yaml": "CLUSTERNAME: home\n"})
    write(folder, {"clusters/home/kubernetes/flux-entry.yaml": ENTRY})
    write(folder, {"clusters/home/kubernetes/kustomization.yaml": "resources: [flux-entry.yaml]\n"})
    return folder
