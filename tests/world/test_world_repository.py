"""Which files of a repository are SOPS files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from inventory import Source, SourceKey
from lifecycle.drivers.git import Git
from lifecycle.errors import DriverError
from lifecycle.secrets import Redactor
from lifecycle.world.repository import Copying, _find_encrypted, _find_tellable_urls

_YAML = "data:\n    key: ENC[AES256_GCM,data:x]\nsops:\n    version: 3.9.0\n"


@pytest.mark.parametrize(
    ("name", "content", "is_encrypted"),
    [
        ("a.secret.yaml", _YAML, True),
        ("plain-name.yml", _YAML, True),
        ("a.json", '{\n\t"key": "ENC[AES256_GCM,data:x]",\n\t"sops": {}\n}\n', True),
        ("a.env", "KEY=ENC[AES256_GCM,data:x]\nsops_version=3.9.0\n", True),
        ("second-document.yaml", f"a: b\n---\n{_YAML}", True),
        ("windows.yaml", _YAML.replace("\n", "\r\n"), True),
        ("rules.yaml", "sops:\n  version: 1\n", False),
        ("told.yaml", "text: |\n  ENC[ looks so\n  sops: so\n", False),
        ("named.secret.yaml", "data:\n  key: clear\n", False),
        ("a.md", _YAML, False),
        ("empty.yaml", "", False),
    ],
)
def test_encrypted_files(tmp_path: Path, name: str, content: str, *, is_encrypted: bool) -> None:
    """A file is known by its content, never by its name."""
    (tmp_path / name).write_bytes(content.encode())

    assert is_encrypted is (_find_encrypted(tmp_path, [name]) == [name])


def test_only_files_are_read(tmp_path: Path) -> None:
    """Links lead out of the repository, tracked files may be gone, submodules are folders."""
    outside = tmp_path / "outside.yaml"
    outside.write_text(_YAML)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.yaml").symlink_to(outside)
    (root / "folder.yaml").mkdir()

    assert [] == _find_encrypted(root, ["link.yaml", "folder.yaml", "gone.yaml"])


@pytest.mark.parametrize(
    ("kind", "url", "is_shown"),
    [
        ("GitRepository", "ssh://git@git.lab.example/home.git", True),
        ("GitRepository", "https://git.lab.example/home.git", True),
        ("GitRepository", "https://ghp_token@git.lab.example/home.git", False),
        ("GitRepository", "https://git:ghp_token@git.lab.example/home.git", False),
        ("GitRepository", "ssh://git:hunter2@git.lab.example/home.git", False),
        ("GitRepository", "https://git.lab.example/home.git?token=x", False),
        ("HelmRepository", "https://charts.lab.example/long-path-that-may-be-a-token", False),
    ],
)
def test_encrypted_url_is_told_where_it_holds_no_credential(
    kind: str, url: str, *, is_shown: bool
) -> None:
    """The remote that does not answer is named, though ClusterTool's variables are encrypted."""
    redactor = Redactor()
    redactor.learn([url, "another-secret"])
    source = Source(SourceKey(kind, "flux-system", "cluster"), url, "", {})

    redactor.spare(_find_tellable_urls([source]))

    said = redactor.redact(f"{url} does not answer: another-secret")
    assert said == f"{url if is_shown else '***'} does not answer: ***"


@dataclass
class _Cloner:
    """A git whose clones take until `gate` is open, and that says what became of each."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[str] = field(default_factory=list)
    failures: list[DriverError] = field(default_factory=list)

    async def copy(self, destination: Path, *, commit: str) -> Path:
        self.told.append(f"clones {commit}")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.told.append("stopped")
            raise
        if self.failures:
            raise self.failures.pop()
        return destination


def _copying(cloner: _Cloner) -> Copying:
    return Copying(cast("Git", cloner), Path("/private/repository"), "fbf67d2")


@pytest.mark.parametrize("is_ahead", [True, False])
async def test_private_copy_is_made_once(*, is_ahead: bool) -> None:
    """Whether it was begun ahead or not, all who need it wait for the one clone."""
    cloner = _Cloner()
    copying = _copying(cloner)
    if is_ahead:
        copying.begin()
        await asyncio.sleep(0)
    assert ["clones fbf67d2"] * is_ahead == cloner.told

    cloner.gate.set()
    paths = await asyncio.gather(copying.ended(), copying.ended())

    assert {Path("/private/repository")} == set(paths)
    assert ["clones fbf67d2"] == cloner.told


async def test_clone_that_failed_is_tried_again() -> None:
    """A full disk or a slow one is no verdict for the rest of the run."""
    cloner = _Cloner(failures=[DriverError("disk is full")])
    cloner.gate.set()
    copying = _copying(cloner)

    with pytest.raises(DriverError, match="disk is full"):
        await copying.ended()
    assert Path("/private/repository") == await copying.ended()


async def test_clone_that_nobody_needed_ends_with_the_run() -> None:
    """A run that is refused while it clones leaves nobody who writes into its private folder."""
    cloner = _Cloner()
    copying = _copying(cloner)
    copying.begin()
    await asyncio.sleep(0)

    await copying.stop()

    assert ["clones fbf67d2", "stopped"] == cloner.told
