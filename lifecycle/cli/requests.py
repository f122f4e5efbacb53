"""What the user asked for, as frozen values; nothing below the edge reads an environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ClusterRequest", "LabRequest", "RunRequest", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for every command: folders, and how the output looks."""

    state_home: Path
    cache_home: Path
    command: str  # as it was typed, for hints
    is_json: bool = False
    is_verbose: bool = False


@dataclass(frozen=True, slots=True)
class LabRequest:
    """How fast simulated time runs, None leaves it to the lab, and what shall go wrong.

    `seed` makes a random schedule of faults; `assets` is a folder with a real kube-apiserver and
    etcd, which the lab runs in place of its own.
    """

    speed: float | None = None
    faults: tuple[str, ...] = ()
    fault_files: tuple[Path, ...] = ()
    seed: int | None = None
    assets: Path | None = None


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """Which cluster: `repo` is None for the lab's sample, `cluster` empty for the only one.

    `lab` is None on real machines.
    """

    repo: Path | None
    cluster: str
    lab: LabRequest | None
    age_key_file: Path | None = None
    charts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run: of which cluster, and what the user allowed."""

    settings: Settings
    target: ClusterRequest
    is_confirmed: bool = False
    accepted: frozenset[str] = field(default_factory=frozenset)
    consented_disks: frozenset[str] = field(default_factory=frozenset)
