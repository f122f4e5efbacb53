"""Recovering a real etcd: whose data it has afterwards, and whose membership."""

from __future__ import annotations

from pathlib import Path

from lab.real.grafting import graft_database
from lab.snapshots import Contents, Member, StoredKey, read_buckets, read_contents, take_snapshot


def make_snapshot(name: str, *keys: StoredKey) -> bytes:
    """A snapshot of a cluster of one member."""
    return take_snapshot(Contents(keys, [Member(7, name, "https://p", "https://c")], raft_index=9))


def test_data_is_the_snapshots_and_membership_the_members(tmp_path: Path) -> None:
    """Keys and how far they were compacted come from the snapshot, all else stays."""
    database = tmp_path / "db"
    database.write_bytes(make_snapshot("young", StoredKey("/registry/new", b"{}", 3))[:-32])
    snapshot = make_snapshot("old", StoredKey("/registry/old", b"{}", 500))
    graft_database(database, snapshot)
    merged, given = dict(read_buckets(database.read_bytes())), dict(read_buckets(snapshot))

    assert ["/registry/old"] == [key.key for key in read_contents(database.read_bytes()).keys]
    assert b"young" in merged[b"members"][0][1]
    assert (
        dict(given[b"meta"])[b"finishedCompactRev"] == dict(merged[b"meta"])[b"finishedCompactRev"]
    )
