"""A shell that runs the real command, and folders to run it on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "lab" / "sample"

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

ENTRY = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-entry, namespace: flux-system}
spec:
  path: ./clusters/home/kubernetes
  sourceRef: {kind: GitRepository, name: cluster}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: cluster, namespace: flux-system}
spec: {url: "ssh://git@git.lab.example/x.git"}
---
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Mapping[str, Json]:
        """Return the one document on stdout."""
        value: Mapping[str, Json] = json.loads(self.stdout)
        return value

    def ids(self) -> list[str]:
        """Return the ids of the open findings of `validate --json`."""
        found = self.json()["findings"]
        assert isinstance(found, list)
        return [item["id"] for item in found]


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs `invoke` in the checkout, with a home of its own and as few tools as wanted."""

    home: Path

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Done:
        """Run one command to its end."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=ROOT,
            env={**kept, "HOME": str(self.home), "COLUMNS": "160", **(env or {})},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def commit(folder: Path) -> None:
    """Make a folder a Git repository with everything committed."""
    words = ["-c", "user.name=t", "-c", "user.email=t@lab.example"]
    for command in (["init", "-q"], ["add", "-A"], [*words, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def digest(folder: Path) -> str:
    """Return a digest of every file and its times below a folder."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        seen.update(f"{path}{status.st_mode}{status.st_size}{status.st_mtime_ns}".encode())
    return seen.hexdigest()


def copy_tree(source: Path, destination: Path) -> Path:
    """Copy a repository's tree, writable."""
    shutil.copytree(source, destination, copy_function=shutil.copyfile)
    for path in (destination, *destination.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return destination
