"""Recovering a real etcd: the data of a snapshot under the membership of a member just formed."""

from __future__ import annotations

from pathlib import Path

from lab.snapshots import read_buckets, write_buckets

__all__ = ["graft_database"]

# What a member knows of its cluster and of its write-ahead log; all else is the snapshot's.
_OWN = (b"cluster", b"members", b"members_removed")
_META = b"meta"
# How far the data was compacted belongs to the data.
_OF_DATA = (b"finishedCompactRev", b"scheduledCompactRev")


def graft_database(database: Path, snapshot: bytes) -> None:
    """Put a snapshot's keys, leases and users into the database of a member that is stopped.

    etcdutl makes a new write-ahead log for the data that it restores; here the member has made its
    own already, and the database goes on to say how far that was applied.

    Raises:
        DamagedError: the snapshot cannot be read.
    """
    own = dict(read_buckets(database.read_bytes()))
    given = dict(read_buckets(snapshot))
    merged = {**own, **given, **{name: own.get(name, []) for name in _OWN}}
    meta = dict(own.get(_META, []))
    for key in _OF_DATA:
        meta.pop(key, None)
    meta |= {key: value for key, value in given.get(_META, []) if key in _OF_DATA}
    merged[_META] = sorted(meta.items())
    part = database.with_name("db.part")
    part.write_bytes(write_buckets(merged))
    part.chmod(0o600)
    part.replace(database)
