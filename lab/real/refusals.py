"""What a real API server refuses, as the lab's own errors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lab.kubernetes.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InternalError,
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
    TooManyRequestsError,
    TooNewError,
    UnavailableError,
    UnknownGroupError,
    UnsupportedMediaTypeError,
)
from lab.kubernetes.values import at, text

__all__ = ["read_refusal"]

_BY_REASON: Mapping[str, type[ApiError]] = {
    kind.reason: kind
    for kind in (
        AlreadyExistsError,
        BadRequestError,
        ConflictError,
        ForbiddenError,
        GoneError,
        InternalError,
        InvalidError,
        MethodNotAllowedError,
        NotFoundError,
        TooManyRequestsError,
        TooNewError,
        UnsupportedMediaTypeError,
    )
}
_NOT_FOUND, _FIRST_UNAVAILABLE = 404, 502


def read_refusal(code: int, answer: bytes) -> ApiError:
    """Read a `Status`, or the line of text that stands for one."""
    try:
        status = json.loads(answer)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        if code == _NOT_FOUND:
            return UnknownGroupError()
        return InternalError(answer.decode("utf-8", "replace").strip() or f"HTTP {code}")
    kind = _BY_REASON.get(text(status, "reason"))
    if kind is None:
        # etcd without a leader, above all: 500 or 503 with a text of its own.
        kind = UnavailableError if code >= _FIRST_UNAVAILABLE else ApiError
    refused = kind(text(status, "message"), details=at(status, "details"))
    refused.code = code
    return refused
