"""etcd snapshots as files: a real bbolt database with etcd's buckets and a SHA-256 behind it.

Here may live: the file format, and what etcd keeps in it. Here may not: machines, Kubernetes, the
wire. Both the simulated machines and the talosctl stand-in read and write through this, so nothing
here imports more than the standard library.
"""

from __future__ import annotations

from lab.snapshots.bolt import DamagedError, read_buckets, write_buckets
from lab.snapshots.etcd import (
    CHECKSUM_SIZE,
    Contents,
    Member,
    StoredKey,
    read_contents,
    take_snapshot,
    verify_checksum,
)
from lab.snapshots.status import Status, read_status

__all__ = [
    "CHECKSUM_SIZE",
    "Contents",
    "DamagedError",
    "Member",
    "Status",
    "StoredKey",
    "read_buckets",
    "read_contents",
    "read_status",
    "take_snapshot",
    "verify_checksum",
    "write_buckets",
]
