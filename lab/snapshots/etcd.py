"""What etcd keeps in its database: keys with their revisions, members, versions.

Source: `server/storage/schema` and `server/storage/mvcc` of etcd 3.6. A key's history is a list of
`mvccpb.KeyValue` under `main revision _ sub revision`; a snapshot taken here holds the last of
each, as after a compaction.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from lab.snapshots.bolt import DamagedError, Item, find_size, read_buckets, write_buckets
from lab.varints import read_varint, write_varint

__all__ = [
    "CHECKSUM_SIZE",
    "Contents",
    "Member",
    "StoredKey",
    "read_contents",
    "take_snapshot",
    "verify_checksum",
]

CHECKSUM_SIZE = 32  # bytes of SHA-256
_VERSION = "3.6.0"  # of cluster and storage: etcd 3.6
_REVISION = struct.Struct(">QcQ")
_NUMBER = struct.Struct(">Q")
_DELETED = 18  # length of a revision's key that marks a deletion: 17 bytes and a `t`
_BYTES, _VARINT = 2, 0  # protobuf's wire types
_KEY, _CREATED, _MODIFIED, _CHANGES, _VALUE = 1, 2, 3, 4, 5  # fields of mvccpb.KeyValue


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key as it was last written, at revision `revision`."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the database lists it."""

    id: int
    name: str
    peer_url: str
    client_url: str
    is_learner: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a database."""

    keys: Sequence[StoredKey]
    members: Sequence[Member] = ()
    raft_index: int = 1
    raft_term: int = 2

    @property
    def revision(self) -> int:
        """The newest revision; 1 in an empty database, as in etcd."""
        return max((key.revision for key in self.keys), default=1)


def take_snapshot(contents: Contents) -> bytes:
    """Write what `etcdctl snapshot save` would: a database, and the SHA-256 of it behind it."""
    data = write_buckets(
        {
            b"alarm": (),
            b"auth": (),
            b"authRoles": (),
            b"authUsers": (),
            b"cluster": ((b"clusterVersion", _VERSION.encode()),),
            b"key": _write_keys(contents.keys),
            b"lease": (),
            b"members": _write_members(contents.members),
            b"members_removed": (),
            b"meta": _write_meta(contents),
        }
    )
    return data + sha256(data).digest()


def verify_checksum(snapshot: bytes) -> bytes:
    """Take the checksum off a snapshot and return the database.

    Raises:
        DamagedError: there is none, or it is not that of the database.
    """
    if len(snapshot) % 512 != CHECKSUM_SIZE:
        raise DamagedError("snapshot missing hash but --skip-hash-check=false")
    data, checksum = snapshot[:-CHECKSUM_SIZE], snapshot[-CHECKSUM_SIZE:]
    found = sha256(data).digest()
    if found != checksum:
        raise DamagedError(f"expected sha256 {_write_octets(checksum)}, got {_write_octets(found)}")
    return data


def read_contents(data: bytes) -> Contents:
    """Read the keys of a database, or of a snapshot with its checksum behind it.

    Raises:
        DamagedError: it cannot be read.
    """
    find_size(data)
    buckets = dict(read_buckets(data))
    if b"key" not in buckets:
        raise DamagedError("no bucket: `key`")
    last: dict[str, StoredKey] = {}
    for position, raw in buckets[b"key"]:
        found = _read_key(position, raw)
        # In order of revision: a later entry is the newer one.
        if len(position) == _DELETED:
            last.pop(found.key, None)
        else:
            last[found.key] = found
    return Contents(tuple(last.values()))


def _write_octets(octets: bytes) -> str:
    # As Go prints a slice of bytes.
    return f"[{' '.join(map(str, octets))}]"


def _write_keys(keys: Iterable[StoredKey]) -> Iterator[Item]:
    for item in keys:
        fields = (
            _encode(_KEY, item.key.encode()),
            _encode(_CREATED, item.revision),
            _encode(_MODIFIED, item.revision),
            _encode(_CHANGES, 1),
            _encode(_VALUE, item.value),
        )
        yield _REVISION.pack(item.revision, b"_", 0), b"".join(fields)


def _write_members(members: Iterable[Member]) -> Iterator[Item]:
    for member in members:
        described = {
            "id": member.id,
            "peerURLs": [member.peer_url],
            "name": member.name,
            "clientURLs": [member.client_url],
            **({"isLearner": True} if member.is_learner else {}),
        }
        yield f"{member.id:x}".encode(), json.dumps(described, separators=(",", ":")).encode()


def _write_meta(contents: Contents) -> Iterator[Item]:
    voters = [member.id for member in contents.members if not member.is_learner]
    learners = [member.id for member in contents.members if member.is_learner]
    state = {"voters": voters, "auto_leave": False, **({"learners": learners} if learners else {})}
    yield b"confState", json.dumps(state, separators=(",", ":")).encode()
    yield b"consistent_index", _NUMBER.pack(contents.raft_index)
    yield b"finishedCompactRev", _REVISION.pack(contents.revision, b"_", 0)
    yield b"scheduledCompactRev", _REVISION.pack(contents.revision, b"_", 0)
    yield b"storageVersion", _VERSION.encode()
    yield b"term", _NUMBER.pack(contents.raft_term)


def _encode(field: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return write_varint(field << 3 | _VARINT) + write_varint(value)
    return write_varint(field << 3 | _BYTES) + write_varint(len(value)) + value


def _read_key(position: bytes, raw: bytes) -> StoredKey:
    fields: dict[int, bytes | int] = {}
    at = 0
    try:
        revision = _REVISION.unpack_from(position)[0]
        while at < len(raw):
            tag, at = read_varint(raw, at)
            number, at = read_varint(raw, at)
            if tag & 7 == _BYTES:
                fields[tag >> 3] = raw[at : at + number]
                at += number
            else:
                fields[tag >> 3] = number
    except (struct.error, IndexError) as error:
        raise DamagedError(f"not a key of etcd: `{position.hex()}`") from error
    key, value = fields.get(_KEY, b""), fields.get(_VALUE, b"")
    if not isinstance(key, bytes) or not isinstance(value, bytes):
        raise DamagedError(f"not a key of etcd: `{position.hex()}`")
    return StoredKey(key.decode("utf-8", "replace"), value, revision)
