"""Lists: in pages where a client wants them, all of one state, at versions that there are."""

from __future__ import annotations

import base64
import binascii
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.kubernetes.errors import BadRequestError, GoneError, TooNewError
from lab.kubernetes.values import Object, name_of, namespace_of

__all__ = ["Page", "Pages"]

# Lists of which a client may still ask for the rest. A real server forgets by time, about five
# minutes (etcd's compaction).
_REMEMBERED_LISTS = 64
_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105  a format, no secret
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter."
)


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


class Pages:
    """Cuts lists into pages, and keeps those that are being read."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Sequence[Object]] = OrderedDict()

    def read(
        self,
        query: Mapping[str, str],
        place: str,
        find: Callable[[], tuple[Sequence[Object], str]],
    ) -> Page:
        """Return the page that `query` asks for; `place` is what is listed, with its selectors.

        Raises:
            BadRequestError: a parameter makes no sense.
            GoneError: the rest of a list that is forgotten.
            TooNewError: a version that is not there yet.
        """
        limit, version = _read_limit(query), query.get("resourceVersion", "")
        begun = 0
        if query.get("continue"):
            if version not in {"", "0"}:
                message = "specifying resource version is not allowed when using continue"
                raise BadRequestError(message)
            version, begun = _read_token(query["continue"])
            if (place, version) not in self._held:
                raise GoneError(_EXPIRED)
            objects = self._held[place, version]
        else:
            objects, now = find()
            _check_version(version, now)
            version = now
        end = begun + limit if limit > 0 else len(objects)
        if end >= len(objects):
            return Page(objects[begun:], version)
        self._hold(place, version, objects)
        is_counted = not (query.get("labelSelector") or query.get("fieldSelector"))
        left = len(objects) - end if is_counted else None
        return Page(objects[begun:end], version, _write_token(version, objects[end - 1], end), left)

    def _hold(self, place: str, version: str, objects: Sequence[Object]) -> None:
        self._held[place, version] = objects
        self._held.move_to_end((place, version))
        while len(self._held) > _REMEMBERED_LISTS:
            self._held.popitem(last=False)


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


def _write_token(version: str, last: Object, position: int) -> str:
    """Make the name of the rest of a list; a real one has no position, and finds it by the key."""
    start = f"{namespace_of(last)}/{name_of(last)}\0"
    content = {"v": _TOKEN_VERSION, "rv": int(version), "start": start, "position": position}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[str, int]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(content["rv"]), int(content["position"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise BadRequestError(
            f"invalid continue token: continue key is not valid: {error}"
        ) from None
