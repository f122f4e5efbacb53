"""Encrypted repositories: ClusterTool decrypts in place, with the key beside the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from tests.standins.standins_process import Run

_CLUSTERENV = "clusters/main/clusterenv.yaml"


@pytest.fixture
def encrypted(cluster_repository: Path) -> Path:
    """The repository with clusterenv.yaml encrypted for the key in age.agekey."""
    identity = pyrage.x25519.Identity.generate()
    (cluster_repository / "age.agekey").write_text(f"{identity}\n")
    sops = shutil.which("sops") or str(Path(sys.executable).parent / "sops")
    argv = [sops, "--encrypt", "--in-place", "--age", str(identity.to_public()), _CLUSTERENV]
    subprocess.run(argv, cwd=cluster_repository, check=True, capture_output=True, timeout=60)
    return cluster_repository


def test_init_and_genconfig_decrypt_in_place(encrypted: Path, run: Run) -> None:
    """After `init` the file is clear and stays so; its order and values are the original's."""
    run("clustertool", "init", cwd=encrypted)
    text = (encrypted / _CLUSTERENV).read_text()
    said = run("clustertool", "genconfig", cwd=encrypted)

    assert text.startswith("VIP: 10.55.0.5\nMASTER1IP: 10.55.0.11/24\n")
    assert "GenConfig: Completed Successfully!" in said.stdout


def test_a_wrong_key_is_told_in_the_words_of_the_library(encrypted: Path, run: Run) -> None:
    """The real one logs the failure, goes on, and stops where it needs the variables."""
    (encrypted / "age.agekey").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    said = run("clustertool", "genconfig", cwd=encrypted)

    assert 1 == said.code
    assert (
        'FTL failed to parse talconfig or talenv file: %s error="failed to load env file: trying '
        f"to decrypt {_CLUSTERENV} with sops: SOPS decryption failed: Error getting data key: 0 "
        'successful groups required, got 0"'
    ) in said.stdout
