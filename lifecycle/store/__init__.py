"""The state directory on this machine: journal, lock, and where each file of a run lives.

May live here: SQLite, file locks, paths below the state and cache directories.
May not: anything that talks to a cluster, anything that prints, decisions about steps. What is
stored is memory, never truth: a run probes before it believes any of it.
"""

from __future__ import annotations

from lifecycle.store.history import read_diagnoses, read_last_run, read_runs
from lifecycle.store.journal import SqliteJournal
from lifecycle.store.lock import FileLock, Holder, read_holder
from lifecycle.store.paths import (
    ClusterState,
    find_cache_home,
    find_newest_state,
    find_state_home,
    identify_repository,
    make_cluster_key,
)

__all__ = [
    "ClusterState",
    "FileLock",
    "Holder",
    "SqliteJournal",
    "find_cache_home",
    "find_newest_state",
    "find_state_home",
    "identify_repository",
    "make_cluster_key",
    "read_diagnoses",
    "read_holder",
    "read_last_run",
    "read_runs",
]
