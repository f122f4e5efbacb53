"""The few Kubernetes messages that real clients send as protobuf, read into objects.

kubectl's typed commands (`certificate approve`, `auth can-i`, `drain`) and talosctl's inventory of
manifests write protobuf; answers may be JSON, which they accept. Field numbers: generated.proto of
k8s.io/api and apimachinery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.kubernetes.errors import BadRequestError
from lab.kubernetes.values import Json, Object

__all__ = ["MAGIC", "read_message"]

MAGIC = b"k8s\x00"
_VARINT, _BYTES = 0, 2


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    message: str = ""  # of `_MESSAGES`; "" for text, "#" for a number, "map" of texts
    repeated: bool = False


_MESSAGES: Mapping[str, Mapping[int, _Field]] = {
    "Metadata": {
        1: _Field("name"),
        3: _Field("namespace"),
        5: _Field("uid"),
        6: _Field("resourceVersion"),
        11: _Field("labels", "map"),
        12: _Field("annotations", "map"),
    },
    "ConfigMap": {1: _Field("metadata", "Metadata"), 2: _Field("data", "map")},
    "CertificateSigningRequest": {1: _Field("metadata", "Metadata"), 3: _Field("status", "Status")},
    "Status": {1: _Field("conditions", "Condition", repeated=True)},
    "Condition": {
        1: _Field("type"),
        2: _Field("reason"),
        3: _Field("message"),
        6: _Field("status"),
    },
    "Eviction": {
        1: _Field("metadata", "Metadata"),
        2: _Field("deleteOptions", "DeleteOptions"),
    },
    "DeleteOptions": {
        1: _Field("gracePeriodSeconds", "#"),
        2: _Field("preconditions", "Preconditions"),
        4: _Field("propagationPolicy"),
        5: _Field("dryRun", repeated=True),
    },
    "Preconditions": {1: _Field("uid"), 2: _Field("resourceVersion")},
    "SelfSubjectAccessReview": {1: _Field("metadata", "Metadata")},
    "SelfSubjectReview": {1: _Field("metadata", "Metadata")},
}


def read_message(raw: bytes) -> Object:
    """Read one message with its envelope (`runtime.Unknown`).

    Raises:
        BadRequestError: it is damaged, or of a kind that is not known here.
    """
    try:
        envelope = dict(_walk(raw.removeprefix(MAGIC)))
        about = dict(_walk(_as_bytes(envelope[1])))
        api_version, kind = _as_bytes(about[1]).decode(), _as_bytes(about[2]).decode()
        found = _read(_as_bytes(envelope.get(2, b"")), kind)
    except (KeyError, IndexError, ValueError) as error:
        raise BadRequestError(f"the protobuf body cannot be read: `{error}`") from error
    return {"apiVersion": api_version, "kind": kind, **found}


def _read(raw: bytes, message: str) -> Object:
    found: Object = {}
    fields = _MESSAGES[message]
    for number, value in _walk(raw):
        field = fields.get(number)
        if field is None:
            continue
        read: Json
        if field.message == "#":
            read = value if isinstance(value, int) else 0
        elif field.message == "map":
            entry = dict(_walk(_as_bytes(value)))
            known = found.get(field.name)
            read = {
                **(known if isinstance(known, dict) else {}),
                _as_bytes(entry.get(1, b"")).decode(): _as_bytes(entry.get(2, b"")).decode(),
            }
        elif field.message:
            read = _read(_as_bytes(value), field.message)
        else:
            read = _as_bytes(value).decode()
        before = found.get(field.name)
        if field.repeated:
            found[field.name] = [*(before if isinstance(before, list) else []), read]
        else:
            found[field.name] = read
    return found


def _walk(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        if tag & 7 == _VARINT:
            value, at = _read_varint(raw, at)
            yield tag >> 3, value
        elif tag & 7 == _BYTES:
            length, at = _read_varint(raw, at)
            yield tag >> 3, raw[at : at + length]
            at += length
        else:
            message = f"wire type: {tag & 7}"
            raise ValueError(message)


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004  the last byte of a varint has no high bit
            return value, at


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    message = f"a number where bytes were expected: {value}"
    raise ValueError(message)
