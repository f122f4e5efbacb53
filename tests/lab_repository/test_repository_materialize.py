"""Materializing: a plain tree becomes a Git repository with a remote and real SOPS files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools


def _git(repository: MaterializedRepository, *args: str) -> str:
    tools = LabTools(env=repository.env)
    return tools.run("git", *args, cwd=repository.path).strip()


def test_declared_remote_serves_the_commit(sample: MaterializedRepository) -> None:
    """Git reaches the bare repository under the URL that the tree declares."""
    listed = _git(sample, "ls-remote", "ssh://git@git.lab.example/sample.git", "refs/heads/main")

    assert f"{sample.commit}\trefs/heads/main" == listed


def test_work_tree_is_clean_and_pushed(sample: MaterializedRepository) -> None:
    """Nothing is uncommitted and nothing unpushed, so a preflight has nothing to say."""
    status = _git(sample, "status", "--porcelain", "--branch")

    assert status == "## main...origin/main"


def test_listed_files_are_encrypted(sample: MaterializedRepository) -> None:
    """Every file of ENCRYPTED.txt carries the stanza of sops and no value in clear."""
    listed = (find_sample() / "ENCRYPTED.txt").read_text().split()

    stanzas = ["sops" in yaml.safe_load((sample.path / name).read_text()) for name in listed]

    assert [True] * len(listed) == stanzas
    assert "10.40.0.11" not in (sample.path / "clusters/main/clusterenv.yaml").read_text()


def test_key_decrypts_and_stays_outside(sample: MaterializedRepository) -> None:
    """The age key lies beside the tree, for its owner only, and decrypts with real sops."""
    tools = LabTools(env=sample.env)
    clear = tools.run("sops", "decrypt", "clusters/main/clusterenv.yaml", cwd=sample.path)

    assert yaml.safe_load(clear)["VIP"] == "10.40.0.5"
    assert sample.age_key_file is not None
    assert sample.age_key_file.stat().st_mode & 0o777 == 0o600
    assert sample.path not in sample.age_key_file.parents


def test_deploy_key_is_an_ssh_key(sample: MaterializedRepository, tmp_path: Path) -> None:
    """The deploy key is a usable OpenSSH key whose public half stands beside it."""
    file = "clusters/main/kubernetes/flux-system/flux/deploykey.secret.yaml"
    clear = LabTools(env=sample.env).run("sops", "decrypt", file, cwd=sample.path)
    data = yaml.safe_load(clear)["stringData"]
    key = tmp_path / "key"
    key.write_text(data["identity"])
    key.chmod(0o600)
    done = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True
    )

    assert data["identity.pub"] == done.stdout.strip()


def test_lists_of_the_data_stay_behind(sample: MaterializedRepository) -> None:
    """ENCRYPTED.txt belongs to the data, not to the repository; ignore files get their name."""
    names = {path.name for path in sample.path.iterdir()}

    assert "ENCRYPTED.txt" not in names
    assert ".gitignore" in names


def test_file_in_no_known_encoding_becomes_part_of_it(tmp_path: Path) -> None:
    """A rehearsal begins all the same, and its preflight tells of the file by name."""
    source = tmp_path / "source"
    shutil.copytree(find_sample(), source)
    (source / "clusters" / "main" / "bad.yaml").write_bytes(b"\xff\xfe\xff")
    made = materialize(source, tmp_path / "made", LabTools())

    assert b"\xff\xfe\xff" == (made.path / "clusters" / "main" / "bad.yaml").read_bytes()


def test_own_repository_is_only_mirrored(sample: MaterializedRepository, tmp_path: Path) -> None:
    """A source that is a Git work tree stays in place, and its branch is what the remote has."""
    before = sorted(sample.path.rglob("*"))
    mirrored = materialize(sample.path, tmp_path, LabTools())

    assert mirrored.path == sample.path
    assert (mirrored.branch, mirrored.commit) == ("main", sample.commit)
    assert before == sorted(sample.path.rglob("*"))
    assert _git(mirrored, "ls-remote", mirrored.url, "HEAD").split()[0] == sample.commit


@pytest.mark.parametrize("name", ["nomenator", "abmania", "maverick", "zachbomb"])
def test_shared_trees_materialize(shared_repos: Path, name: str, tmp_path: Path) -> None:
    """Each shared tree becomes a clean repository whose Talos secrets are usable ones."""
    made = materialize(shared_repos / name, tmp_path, LabTools())
    tools = LabTools(env=made.env)
    secrets = "clusters/main/talos/generated/talsecret.yaml"
    clear = yaml.safe_load(tools.run("sops", "decrypt", secrets, cwd=made.path))

    assert _git(made, "status", "--porcelain", "--branch") == "## main...origin/main"
    assert clear["certs"]["os"]["crt"].startswith("LS0t")
