"""The file format of bbolt: reading every bucket of a database, and writing a new one.

Source: `db.go`, `page.go` and `tx.go` of go.etcd.io/bbolt 1.4: two meta pages with an FNV-1a
checksum each, a freelist page, and B+ trees of branch and leaf pages; what is longer than a page
overflows into the pages behind it. Numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

__all__ = ["PAGE_SIZE", "DamagedError", "Item", "find_size", "read_buckets", "write_buckets"]

Item = tuple[bytes, bytes]
_T = TypeVar("_T")

PAGE_SIZE = 4096  # what Linux on amd64 gives bbolt
_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_IS_BUCKET = 0x01
_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_HEAD = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist,
# high water mark, transaction; the checksum follows
_CHECKSUM = struct.Struct("<Q")
_LEAF_ITEM = struct.Struct("<IIII")  # flags, position, size of key, size of value
_BRANCH_ITEM = struct.Struct("<IIQ")  # position, size of key, page
_BUCKET = struct.Struct("<QQ")  # root page, sequence
_FIRST_PAGE = 3  # behind two meta pages and the freelist
_DEEPEST = 32  # arbitrary; a tree of that height holds more than any disk


class DamagedError(ValueError):
    """The file is no bbolt database, or one that was damaged."""


def write_buckets(buckets: Mapping[bytes, Iterable[Item]]) -> bytes:
    """Write a database with these buckets; keys of a bucket must differ from each other."""
    pages = _Pages()
    roots = []
    for name in sorted(buckets):
        root = pages.add_tree(sorted((key, value, 0) for key, value in buckets[name]))
        roots.append((name, _BUCKET.pack(root, 0), _IS_BUCKET))
    root = pages.add_tree(roots)
    freelist = _PAGE.pack(2, _FREELIST, 0, 0)
    metas = [_write_meta(number, root, pages.end) for number in (0, 1)]
    return b"".join([*(_fill(page) for page in (*metas, freelist)), *pages.written])


def read_buckets(data: bytes) -> Iterator[tuple[bytes, list[Item]]]:
    """Read every bucket at the top of a database, each with its items in order.

    Raises:
        DamagedError: the file cannot be read.
    """
    reader = _Reader(data)
    for name, value, flags in reader.walk(reader.root):
        if not flags & _IS_BUCKET or len(value) < _BUCKET.size:
            raise DamagedError(f"not a bucket: `{name.decode('utf-8', 'replace')}`")
        yield name, [(key, item) for key, item, _ in reader.walk_bucket(value)]


def find_size(data: bytes) -> int:
    """Find how many bytes of `data` are the database, up to its high water mark.

    Raises:
        DamagedError: the file cannot be read.
    """
    reader = _Reader(data)
    return reader.page_size * reader.end


class _Pages:
    """Pages of a new database, in the order of their numbers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.end = _FIRST_PAGE

    def add_tree(self, items: Sequence[tuple[bytes, bytes, int]]) -> int:
        """Write a tree, leaves first; return the number of its root page."""
        level = [
            (part[0][0] if part else b"", self._add(_LEAF, _write_leaf(part), len(part)))
            for part in _split(items, lambda item: _LEAF_ITEM.size + len(item[0]) + len(item[1]))
        ]
        while len(level) > 1:
            level = [
                (part[0][0], self._add(_BRANCH, _write_branch(part), len(part)))
                for part in _split(level, lambda item: _BRANCH_ITEM.size + len(item[0]))
            ]
        return level[0][1]

    def _add(self, kind: int, body: bytes, count: int) -> int:
        number = self.end
        pages = -(-(_PAGE.size + len(body)) // PAGE_SIZE)
        self.written.append(_fill(_PAGE.pack(number, kind, count, pages - 1) + body))
        self.end += pages
        return number


def _split(items: Sequence[_T], size_of: Callable[[_T], int]) -> Iterator[Sequence[_T]]:
    """Cut items into parts that fit a page each; an item that does not has one of its own."""
    begin, room = 0, PAGE_SIZE - _PAGE.size
    for index, item in enumerate(items):
        size = size_of(item)
        if index > begin and size > room:
            yield items[begin:index]
            begin, room = index, PAGE_SIZE - _PAGE.size
        room -= size
    yield items[begin:]


def _write_leaf(items: Sequence[tuple[bytes, bytes, int]]) -> bytes:
    heads, bodies, position = [], [], len(items) * _LEAF_ITEM.size
    for index, (key, value, flags) in enumerate(items):
        # Positions count from the head that carries them.
        offset = position - index * _LEAF_ITEM.size
        heads.append(_LEAF_ITEM.pack(flags, offset, len(key), len(value)))
        bodies += [key, value]
        position += len(key) + len(value)
    return b"".join([*heads, *bodies])


def _write_branch(items: Sequence[tuple[bytes, int]]) -> bytes:
    heads, bodies, position = [], [], len(items) * _BRANCH_ITEM.size
    for index, (key, page) in enumerate(items):
        heads.append(_BRANCH_ITEM.pack(position - index * _BRANCH_ITEM.size, len(key), page))
        bodies.append(key)
        position += len(key)
    return b"".join([*heads, *bodies])


def _write_meta(number: int, root: int, end: int) -> bytes:
    head = _HEAD.pack(_MAGIC, _VERSION, PAGE_SIZE, 0, root, 0, 2, end, number)
    return _PAGE.pack(number, _META, 0, 0) + head + _CHECKSUM.pack(_hash_fnv(head))


def _fill(page: bytes) -> bytes:
    return page + bytes(-len(page) % PAGE_SIZE)


def _hash_fnv(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


class _Reader:
    """Walks the trees of a database; every step stays inside the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.page_size = PAGE_SIZE
        self.root, self.end = self._read_meta()

    def walk_bucket(self, value: bytes) -> Iterator[tuple[bytes, bytes, int]]:
        """Walk a bucket, given as the value that its parent holds: small ones are inline."""
        root, _ = _BUCKET.unpack_from(value)
        if root:
            return self.walk(root)
        return _Reader._read_leaf(value, _BUCKET.size)

    def walk(self, number: int, depth: int = 0) -> Iterator[tuple[bytes, bytes, int]]:
        """Walk a tree in the order of its keys: key, value, flags."""
        start = number * self.page_size
        if depth > _DEEPEST or start + _PAGE.size > len(self._data):
            raise DamagedError(f"page out of bounds: `{number}`")
        _, kind, count, _ = _PAGE.unpack_from(self._data, start)
        if kind == _LEAF:
            yield from self._read_leaf(self._data, start)
        elif kind == _BRANCH:
            base = start + _PAGE.size
            for index in range(count):
                at = base + index * _BRANCH_ITEM.size
                yield from self.walk(_unpack(_BRANCH_ITEM, self._data, at)[2], depth + 1)
        else:
            raise DamagedError(f"unexpected page type: `{kind:x}` of page `{number}`")

    @staticmethod
    def _read_leaf(data: bytes, start: int) -> Iterator[tuple[bytes, bytes, int]]:
        count = _unpack(_PAGE, data, start)[2]
        for index in range(count):
            at = start + _PAGE.size + index * _LEAF_ITEM.size
            flags, position, key_size, value_size = _unpack(_LEAF_ITEM, data, at)
            key = at + position
            end = key + key_size + value_size
            if end > len(data):
                raise DamagedError(f"item out of bounds: `{index}`")
            yield data[key : key + key_size], data[key + key_size : end], flags

    def _read_meta(self) -> tuple[int, int]:
        """Find root page and high water mark in the newest meta page that is whole."""
        found: list[tuple[int, int, int]] = []
        for number in (0, 1):
            at = number * PAGE_SIZE + _PAGE.size
            head = self._data[at : at + _HEAD.size]
            if len(head) < _HEAD.size:
                continue
            fields = _HEAD.unpack(head)
            (checksum,) = _unpack(_CHECKSUM, self._data, at + _HEAD.size)
            if fields[:3] == (_MAGIC, _VERSION, PAGE_SIZE) and checksum == _hash_fnv(head):
                found.append((fields[8], fields[4], fields[7]))
        if not found:
            raise DamagedError("invalid database")
        _, root, end = max(found)
        if end * PAGE_SIZE > len(self._data):
            raise DamagedError("file size too small")
        return root, end


def _unpack(form: struct.Struct, data: bytes, at: int) -> tuple[int, ...]:
    if at + form.size > len(data):
        raise DamagedError(f"file ends at `{len(data)}`, before what must stand at `{at}`")
    return form.unpack_from(data, at)
