"""Snapshot files: what is written is read again, and damage is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.snapshots import (
    CHECKSUM_SIZE,
    Contents,
    DamagedError,
    Member,
    StoredKey,
    read_contents,
    read_status,
    take_snapshot,
    verify_checksum,
)
from lab.snapshots.bolt import PAGE_SIZE, read_buckets, write_buckets

_MEMBER = Member(0x1F, "cp1", "https://10.0.0.1:2380", "https://10.0.0.1:2379")


def _make_keys(count: int, size: int = 20) -> tuple[StoredKey, ...]:
    return tuple(StoredKey(f"/registry/x/{at:05}", b"v" * size, at + 2) for at in range(count))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12_000), max_size=60))
def test_any_sizes_come_back(sizes: list[int]) -> None:
    """Values of any size, also over several pages, are read as they were written."""
    keys = tuple(StoredKey(f"/k/{at}", b"x" * size, at + 2) for at, size in enumerate(sizes))

    assert read_contents(take_snapshot(Contents(keys))).keys == keys


def test_a_tree_of_several_levels_comes_back() -> None:
    """Thousands of keys make branches above leaves, and stay in order."""
    keys = _make_keys(5000, size=100)

    assert read_contents(take_snapshot(Contents(keys))).keys == keys


def test_the_checksum_is_behind_whole_pages() -> None:
    """The size is what talosctl asks for: pages, then 32 bytes."""
    snapshot = take_snapshot(Contents(_make_keys(10), (_MEMBER,)))

    assert len(snapshot) % PAGE_SIZE == CHECKSUM_SIZE
    assert verify_checksum(snapshot) == snapshot[:-CHECKSUM_SIZE]


def test_a_deleted_key_does_not_come_back() -> None:
    """The mark of a deletion takes a key off, as etcd's own history does."""
    history = {
        b"key": (
            (b"\0\0\0\0\0\0\0\2_\0\0\0\0\0\0\0\0", b"\x0a\1a\x2a\1b"),
            (b"\0\0\0\0\0\0\0\3_\0\0\0\0\0\0\0\0t", b"\x0a\1a"),
        )
    }

    assert read_contents(write_buckets(history)).keys == ()
    assert read_status(write_buckets(history)).revision == 3


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (b"", "invalid database"),
        (b"x" * 9000, "invalid database"),
        (take_snapshot(Contents(_make_keys(100)))[:20_000], "file size too small"),
        (write_buckets({}), "no bucket: `key`"),
    ],
)
def test_what_is_no_snapshot_is_told(snapshot: bytes, said: str) -> None:
    """A file that is cut, empty or of another kind is refused with a reason."""
    with pytest.raises(DamagedError, match=said):
        read_contents(snapshot)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30_000), st.integers(1, 255))
def test_damage_never_ends_in_anything_else(at: int, flip: int) -> None:
    """A flipped byte is read over or told, and always seen by the checksum."""
    snapshot = bytearray(take_snapshot(Contents(_make_keys(80), (_MEMBER,))))
    snapshot[at % len(snapshot)] ^= flip

    with pytest.raises(DamagedError):
        verify_checksum(bytes(snapshot))
    try:
        list(read_buckets(bytes(snapshot)))
        read_contents(bytes(snapshot))
    except DamagedError as error:
        assert str(error)  # noqa: PT017 # either outcome is right, another exception is not
