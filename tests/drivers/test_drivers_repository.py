"""What the doors to git, sops and kustomize promise, with the real programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import pytest

from lifecycle.drivers.git import Git
from lifecycle.drivers.kustomize import Kustomize
from lifecycle.drivers.process import ProcessRunner
from lifecycle.drivers.sops import Decrypted, Sops, SopsError, SopsFailure
from lifecycle.errors import CommandFailedError
from lifecycle.secrets import Secret

RealTool = Callable[[str], str]
CLEAR = b"token: hunter2-hunter2\nvip: 10.41.0.5/24\nlist:\n    - deep-secret-value\nport: 8080\n"


@dataclass
class AgeKey:
    """A fresh age key."""

    identity: pyrage.x25519.Identity = field(default_factory=pyrage.x25519.Identity.generate)

    @property
    def secret(self) -> Secret:
        """The private key."""
        return Secret(str(self.identity))

    def encrypt(self, sops: str, content: bytes) -> bytes:
        """Encrypt a YAML document with the real sops."""
        argv = [sops, "encrypt", "--age", str(self.identity.to_public()), "--input-type", "yaml"]
        argv += ["--output-type", "yaml", "/dev/stdin"]
        return subprocess.run(argv, input=content, capture_output=True, check=True).stdout


def run_git(folder: Path, *words: str) -> str:
    """Run git for a test's preparation."""
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@example.org"}
    argv = ["git", "-C", str(folder), *words]
    environment: Mapping[str, str] = {**os.environ, **identity}
    done = subprocess.run(argv, env=environment, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on main, and a bare remote that has it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "a file.yaml").write_text("a: 1\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "one")
    remote = tmp_path / "remote.git"
    run_git(tmp_path, "clone", "--quiet", "--bare", str(folder), str(remote))
    run_git(folder, "remote", "add", "origin", str(remote))
    return folder


@pytest.fixture
def git(runner: ProcessRunner, repository: Path) -> Git:
    """The git door on that repository."""
    return Git("git", runner, repository)


async def test_head_and_branch_are_told(git: Git, repository: Path) -> None:
    """The commit and the branch are those that are checked out."""
    expected = (run_git(repository, "rev-parse", "HEAD"), "main")

    assert (await git.head(), await git.branch()) == expected


async def test_changes_are_paths_that_differ(git: Git, repository: Path) -> None:
    """A clean tree has no changes; changed and new files count, ignored ones do not."""
    clean = await git.changes()
    (repository / "a file.yaml").write_text("a: 2\n")
    (repository / "new").write_text("")
    (repository / "ignored").write_text("")

    assert (clean, await git.changes()) == ((), ("a file.yaml", "new"))


async def test_remote_commit_is_the_remotes(git: Git, repository: Path) -> None:
    """A commit that was not pushed is not what the remote has; a missing branch is empty."""
    url = await git.remote_url()
    pushed = await git.head()
    run_git(repository, "commit", "--quiet", "--allow-empty", "-m", "two")

    assert await git.remote_commit(url, "main") == pushed
    assert await git.remote_commit(url, "other") == ""
    assert await git.is_ancestor(pushed, await git.head())


async def test_unreachable_remote_is_an_error(git: Git, tmp_path: Path) -> None:
    """A remote that does not exist is an error, not an empty answer."""
    with pytest.raises(CommandFailedError):
        await git.remote_commit(str(tmp_path / "nowhere"), "main")


async def test_copy_leaves_the_repository_alone(git: Git, repository: Path, tmp_path: Path) -> None:
    """A copy has the commit's files, not the working tree's changes, and shares no file."""
    (repository / "a file.yaml").write_text("a: 2\n")

    copy = await git.copy(tmp_path / "copy")
    (copy / "a file.yaml").write_text("a: 3\n")

    assert await git.read("a file.yaml") == b"a: 1\n"
    assert (repository / "a file.yaml").read_text() == "a: 2\n"
    assert await git.tracked_files() == (".gitignore", "a file.yaml")


async def test_decrypted_text_and_values_are_secrets(
    runner: ProcessRunner, real_tool: RealTool
) -> None:
    """A document decrypts in memory; its encrypted values come apart, addresses excepted."""
    program, key = real_tool("sops"), AgeKey()

    decrypted = await Sops(program, runner, key.secret).decrypt(
        key.encrypt(program, CLEAR), name="clusterenv.yaml"
    )

    assert decrypted.text.reveal() == CLEAR
    assert decrypted.values == (Secret("deep-secret-value"), Secret("hunter2-hunter2"))


async def test_each_reason_not_to_decrypt_is_told(
    runner: ProcessRunner, real_tool: RealTool, tmp_path: Path
) -> None:
    """A stranger's key, a change after encryption and a clear document are told apart."""
    program, key = real_tool("sops"), AgeKey()
    encrypted = key.encrypt(program, CLEAR)
    documents = {
        "good.yaml": encrypted,
        "foreign.yaml": AgeKey().encrypt(program, CLEAR),
        "moved.yaml": encrypted.replace(b"token:", b"taken:"),
        "dropped.yaml": b"\n".join(encrypted.split(b"\n")[1:]),
        "clear.yaml": CLEAR,
    }
    for name, content in documents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in documents]

    answers = await Sops(program, runner, key.secret).decrypt_files(paths)

    failures = [a.failure if isinstance(a, SopsError) else None for a in answers.values()]
    assert failures == [
        None,
        SopsFailure.NO_KEY,
        SopsFailure.DAMAGED,
        SopsFailure.DAMAGED,
        SopsFailure.NOT_ENCRYPTED,
    ]
    assert isinstance(answers[tmp_path / "good.yaml"], Decrypted)


async def test_error_names_the_document_and_the_repair(
    runner: ProcessRunner, real_tool: RealTool
) -> None:
    """The error of a document that does not decrypt names it, why, and what to do."""
    with pytest.raises(SopsError, match=r"`a\.yaml`: it is not encrypted") as caught:
        await Sops(real_tool("sops"), runner, AgeKey().secret).decrypt(CLEAR, name="a.yaml")

    assert "sops encrypt" in caught.value.hint


async def test_folder_builds_under_an_overlay(
    runner: ProcessRunner, real_tool: RealTool, tmp_path: Path
) -> None:
    """A folder builds by itself, and with the fields of an overlay laid over it."""
    (tmp_path / "kustomization.yaml").write_text("resources: [../outside/a.yaml]\n")
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    kustomize = Kustomize(real_tool("kubectl"), runner)

    alone = await kustomize.build(tmp_path)
    under = await kustomize.build(tmp_path, overlay={"namespace": "shop"})

    assert b"namespace:" not in alone
    assert b"namespace: shop" in under


async def test_folder_that_does_not_build_is_named(
    runner: ProcessRunner, real_tool: RealTool, tmp_path: Path
) -> None:
    """The error of a folder that does not build names what is missing."""
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")

    with pytest.raises(CommandFailedError, match=r"missing\.yaml"):
        await Kustomize(real_tool("kubectl"), runner).build(tmp_path)
