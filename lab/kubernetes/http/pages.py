"""Lists: in pages where a client wants them, all of one state, at versions that there are."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.kubernetes.errors import BadRequestError, GoneError, TooNewError
from lab.kubernetes.values import Object, name_of, namespace_of

__all__ = ["Page", "read_page"]

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105  a format, no secret
# The version of a token that goes on with whatever there is by now.
_NOW = -1
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)

# Finds what is listed, as it was at a version or now, and the version of that.
Find = Callable[[int | None], tuple[Sequence[Object], str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list at a version; `follow` asks for the next one, which has `left` objects.

    `left` is None where a real server does not count: behind selectors.
    """

    objects: Sequence[Object]
    version: str
    follow: str = ""
    left: int | None = None

    @property
    def metadata(self) -> Object:
        """What the list says about itself."""
        metadata: Object = {"resourceVersion": self.version}
        if self.follow:
            metadata["continue"] = self.follow
            if self.left is not None:
                metadata["remainingItemCount"] = self.left
        return metadata


def read_page(query: Mapping[str, str], namespace: str, find: Find) -> Page:
    """Return the page of a list that `query` asks for.

    What asks for the next page says itself where it begins and of which version: any API server
    of the cluster can go on.

    Raises:
        BadRequestError: a parameter makes no sense.
        GoneError: the rest of a list whose version is forgotten.
        TooNewError: a version that is not there yet.
    """
    limit, version = _read_limit(query), query.get("resourceVersion", "")
    begun = 0
    if query.get("continue"):
        if version not in {"", "0"}:
            message = "specifying resource version is not allowed when using continue"
            raise BadRequestError(message)
        at, start = _read_token(query["continue"])
        try:
            objects, version = find(None if at == _NOW else at)
        except GoneError as error:
            raise GoneError(_EXPIRED, follow=_write_token(_NOW, start)) from error
        begun = bisect_left(objects, start, key=lambda obj: _key_of(obj, namespace))
    else:
        objects, now = find(None)
        _check_version(version, now)
        version = now
    end = begun + limit if limit > 0 else len(objects)
    if end >= len(objects):
        return Page(objects[begun:], version)
    is_counted = not (query.get("labelSelector") or query.get("fieldSelector"))
    left = len(objects) - end if is_counted else None
    follow = _write_token(int(version), _key_of(objects[end - 1], namespace) + "\0")
    return Page(objects[begun:end], version, follow, left)


def _read_limit(query: Mapping[str, str]) -> int:
    asked = query.get("limit", "0")
    try:
        return int(asked)
    except ValueError:
        message = f'strconv.ParseInt: parsing "{asked}": invalid syntax'
        raise BadRequestError(message) from None


def _check_version(asked: str, now: str) -> None:
    if not asked:
        return
    if not asked.isdigit():
        raise BadRequestError(
            f'invalid resource version: resourceVersion: Invalid value: "{asked}": '
            f'strconv.ParseUint: parsing "{asked}": invalid syntax'
        )
    if int(asked) > int(now):
        raise TooNewError(asked, now)


def _key_of(obj: Object, namespace: str) -> str:
    """Return an object's key of etcd, below what is listed."""
    own = namespace_of(obj)
    return f"/{name_of(obj)}" if namespace or not own else f"/{own}/{name_of(obj)}"


def _write_token(version: int, start: str) -> str:
    """Make the name of the rest of a list, as a real API server does."""
    content = {"v": _TOKEN_VERSION, "rv": version, "start": start}
    text = json.dumps(content, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, str]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, start = int(content["rv"]), str(content["start"])
        if version and start:
            return version, start if start.startswith("/") else f"/{start}"
        wrong = "incorrect encoded start resourceVersion" if start else "encoded start key empty"
        wrong = f"{wrong} (version {_TOKEN_VERSION})"
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        wrong = str(error)
    raise BadRequestError(f"invalid continue token: continue key is not valid: {wrong}")
