"""What `etcdutl snapshot status` says of a snapshot, computed as it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.snapshots.bolt import Item, find_size, read_buckets
from lab.snapshots.etcd import read_contents

__all__ = ["Status", "read_status"]

_CASTAGNOLI = 0x82F63B78  # CRC-32C's polynomial, reflected


@dataclass(frozen=True, slots=True)
class Status:
    """Hash over every bucket, newest revision, number of living keys, size in bytes."""

    hash: int
    revision: int
    total_keys: int
    total_size: int

    def describe(self) -> str:
        """Write it as talosctl and machined do."""
        return (
            f"hash {self.hash:08x}, revision {self.revision}, total keys {self.total_keys}, "
            f"total size {self.total_size}"
        )


def read_status(data: bytes) -> Status:
    """Describe a snapshot, with its checksum or without.

    Raises:
        DamagedError: it cannot be read.
    """
    buckets = list(read_buckets(data))
    keys = next((items for name, items in buckets if name == b"key"), [])
    newest = keys[-1][0] if keys else bytes(8)
    return Status(
        hash=_hash_crc(_list_parts(buckets)),
        revision=int.from_bytes(newest[:8], "big"),
        total_keys=len(read_contents(data).keys) if keys else 0,
        total_size=find_size(data),
    )


def _list_parts(buckets: Iterable[tuple[bytes, list[Item]]]) -> Iterator[bytes]:
    for name, items in buckets:
        yield name
        for key, value in items:
            yield key
            yield value


def _hash_crc(parts: Iterable[bytes]) -> int:
    table = _make_table()
    crc = 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)
