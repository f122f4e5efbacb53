"""The private copy that a rehearsal breaks: what is said when it cannot be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.repository import find_sample, materialize
from lab.tools import LabTools
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.cli.rehearsing.content import open_copy
from lifecycle.cli.requests import ClusterRequest
from lifecycle.errors import PreconditionError
from lifecycle.secrets import Redactor


def test_wrong_key_is_told_with_the_users_own_path(tmp_path: Path) -> None:
    """The copy is removed again, so the hint names the file in the user's tree."""
    own = materialize(find_sample(), tmp_path / "own", LabTools(find_lab_tools())).path
    other = tmp_path / "other.agekey"
    other.write_text("no key at all\n")
    target = ClusterRequest(own, "main", None, age_key_file=other)

    with (
        pytest.raises(PreconditionError) as caught,
        open_copy(tmp_path / "home", target, find_lab_tools(), os.environ, Redactor()),
    ):
        pytest.fail("there is no key")

    assert "cannot decrypt with the key of" in caught.value.message
    assert f"sops -d {own}/clusters/main/clusterenv.yaml" in caught.value.hint
    assert not (tmp_path / "home" / "copy").exists()
