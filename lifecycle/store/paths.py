"""Where state lives: one private folder for each cluster, named so that two never meet."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "ClusterState",
    "find_cache_home",
    "find_newest_state",
    "find_state_home",
    "identify_repository",
    "make_cluster_key",
]

_APP = "talos-lifecycle"
_DIGEST_CHARS = 8  # 32 bits: enough to tell apart the clusters of one person
_REMOTE = re.compile(r'^\[remote "origin"\]\s*$(.*?)(?=^\[|\Z)', re.MULTILINE | re.DOTALL)
_URL = re.compile(r"^\s*url\s*=\s*(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The folder of one cluster, mode 0700, and the files in it."""

    folder: Path

    @property
    def journal(self) -> Path:
        """The SQLite journal of every run."""
        return self.folder / "journal.db"

    @property
    def lock(self) -> Path:
        """The lock file; its text names the holder."""
        return self.folder / "lock"

    @property
    def runs(self) -> Path:
        """The folder of the run logs."""
        return self.folder / "runs"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig fetched through a node, mode 0600."""
        return self.folder / "kubeconfig"

    @property
    def talosconfig(self) -> Path:
        """The talosconfig, mode 0600."""
        return self.folder / "talosconfig"

    @property
    def work(self) -> Path:
        """The private copy of the repository in which machine configs are generated."""
        return self.folder / "work"

    def log_of(self, run: str) -> Path:
        """Return the JSON lines log of a run."""
        return self.runs / f"{run}.jsonl"

    def create(self) -> None:
        """Make the folder and its run folder, readable by their owner only."""
        for folder in (self.folder, self.runs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkdir applies the mode to the last folder only, and leaves an existing one alone.
            folder.chmod(0o700)


def find_state_home(environ: Mapping[str, str]) -> Path:
    """Return the folder that holds every cluster's state.

    `TALOS_LIFECYCLE_STATE`, else `$XDG_STATE_HOME/talos-lifecycle`, else
    `~/.local/state/talos-lifecycle` (XDG Base Directory Specification 0.8).
    """
    if own := environ.get("TALOS_LIFECYCLE_STATE"):
        return Path(own).expanduser().absolute()
    return _find_xdg(environ, "XDG_STATE_HOME", ".local/state") / _APP


def find_cache_home(environ: Mapping[str, str]) -> Path:
    """Return the folder for what can be fetched again: `$XDG_CACHE_HOME/talos-lifecycle`."""
    return _find_xdg(environ, "XDG_CACHE_HOME", ".cache") / _APP


def make_cluster_key(cluster: str, identity: str) -> str:
    """Name a cluster's folder: its name, and a short digest of its repository's identity."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{cluster}-{digest}"


def identify_repository(repo: Path) -> str:
    """Return what stays the same when a repository is moved or cloned again.

    That is the URL of its remote `origin` without scheme, user and `.git`, so that a changed
    token or protocol is still the same repository; without a remote, its absolute path.
    """
    config = _find_git_config(repo)
    text = config.read_text(encoding="utf-8", errors="replace") if config else ""
    section = _REMOTE.search(text)
    url = _URL.search(section.group(1)) if section else None
    return _normalise_url(url.group(1)) if url else str(repo.resolve())


def find_newest_state(home: Path) -> ClusterState | None:
    """Return the cluster whose journal was written last, rehearsals included; None without any."""
    journals = [*home.glob("*/journal.db"), *home.glob("lab/*/journal.db")]
    if not journals:
        return None
    return ClusterState(max(journals, key=_read_last_write).parent)


def _find_xdg(environ: Mapping[str, str], variable: str, default: str) -> Path:
    value = environ.get(variable, "")
    # The specification: relative paths are invalid and to be ignored.
    if os.path.isabs(value):  # noqa: PTH117 -- an empty value is no path
        return Path(value)
    return Path(environ.get("HOME") or Path.home()) / default


def _find_git_config(repo: Path) -> Path | None:
    git = repo / ".git"
    if git.is_file():  # a linked work tree: `gitdir: <repository>/.git/worktrees/<name>`
        pointed = (repo / git.read_text(encoding="utf-8").partition(":")[2].strip()).resolve()
        common = pointed / "commondir"
        git = (
            (pointed / common.read_text(encoding="utf-8").strip()) if common.is_file() else pointed
        )
    config = git / "config"
    return config if config.is_file() else None


def _normalise_url(url: str) -> str:
    bare = re.sub(r"^[a-z+]+://", "", url)
    bare = re.sub(r"^[^@/]*@", "", bare)
    host, separator, path = re.sub(r"(\.git)?/*$", "", bare).partition("/")
    if ":" in host and not separator:  # git@host:owner/name holds its first slash in the path
        return bare
    return f"{host.replace(':', '/', 1).lower()}/{path}" if separator else bare


def _read_last_write(journal: Path) -> float:
    wal = journal.with_name(journal.name + "-wal")
    return max(path.stat().st_mtime for path in (journal, wal) if path.exists())
