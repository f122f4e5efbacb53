"""The few Kubernetes messages that real clients send as protobuf, read into objects.

kubectl's typed commands (`create`, `certificate approve`, `auth can-i`, `drain`) and talosctl's
inventory of manifests write protobuf; answers may be JSON, which they accept. Go writes text that
is not set as empty text, which JSON leaves out: so does this. Field numbers: generated.proto of
k8s.io/api and apimachinery.
"""

from __future__ import annotations

import base64
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
    # Of `_MESSAGES`; "" for text, "#" for a number, "?" for a truth, "map" of texts or of bytes.
    message: str = ""
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
    "ConfigMap": {
        1: _Field("metadata", "Metadata"),
        2: _Field("data", "map"),
        3: _Field("binaryData", "map of bytes"),
        4: _Field("immutable", "?"),
    },
    "Secret": {
        1: _Field("metadata", "Metadata"),
        2: _Field("data", "map of bytes"),
        3: _Field("type"),
        4: _Field("stringData", "map"),
        5: _Field("immutable", "?"),
    },
    "Namespace": {1: _Field("metadata", "Metadata")},
    "ServiceAccount": {1: _Field("metadata", "Metadata")},
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
        if kind not in _MESSAGES:
            raise BadRequestError(
                f"the lab does not read the protobuf of this kind: `{kind}`; write it as YAML: "
                "kubectl create --dry-run=client -o yaml ... | kubectl apply -f -"
            )
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
        before = found.get(field.name)
        read = _read_value(field, value, before)
        if field.repeated:
            found[field.name] = [*(before if isinstance(before, list) else []), read]
        elif read != "":
            found[field.name] = read
    return found


def _read_value(field: _Field, value: int | bytes, before: Json) -> Json:
    match field.message:
        case "#":
            return value if isinstance(value, int) else 0
        case "?":
            return bool(value)
        case "map" | "map of bytes":
            entry = dict(_walk(_as_bytes(value)))
            held = _as_bytes(entry.get(2, b""))
            is_text = field.message == "map"
            text = held.decode() if is_text else base64.b64encode(held).decode()
            known = before if isinstance(before, dict) else {}
            return {**known, _as_bytes(entry.get(1, b"")).decode(): text}
        case "":
            return _as_bytes(value).decode()
        case _:
            return _read(_as_bytes(value), field.message)


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
