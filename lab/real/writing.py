"""How controllers write on a real API server: what they made of a copy becomes requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from lab.kubernetes.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from lab.kubernetes.kinds import Kind
from lab.kubernetes.store import Place
from lab.kubernetes.values import Object, at, clone_map, name_of, namespace_of, uid_of
from lab.real.differences import list_patches
from lab.real.mirror import MirrorStore
from lab.real.remote import Remote

__all__ = ["RemoteWriter"]

_log = logging.getLogger(__name__)

# Arbitrary: somebody else would have to write the same object as often in between.
_MOST_ATTEMPTS = 8
_TAKEN = "provided IP is already allocated"
# Half a second at most, in which the lab stands still. Arbitrary.
_MOST_LOOKS, _LOOK_S = 10, 0.05
_BY_LAB = {"fieldManager": "lab"}


class RemoteWriter:
    """Writes for the cluster's own components (`lab.kubernetes.components`)."""

    def __init__(self, remote: Remote, store: MirrorStore, check: Callable[[], None]) -> None:
        self._remote = remote
        self._store = store
        self._check = check  # raises when nothing can be written

    def plant(self, kind: Kind, obj: Object) -> Object | None:
        """Create an object, then its status; None when it exists or has no place to be."""
        place = Place(kind.resource, namespace_of(obj), name_of(obj))
        self._check()
        try:
            made = self._remote.create(kind, obj, query=_BY_LAB)
        except AlreadyExistsError:
            self._remote.refresh(kind, place)
            return None
        except NotFoundError:
            return None  # its namespace, or its kind, went meanwhile
        except InvalidError as error:
            # A Service's address is looked at before its name: the API server makes its own one.
            if _TAKEN in error.message and self._await(kind, place):
                return None
            raise _tell(error, f"create {_name(place)}") from error
        except ApiError as error:
            raise _tell(error, f"create {_name(place)}") from error
        wanted = at(obj, "status")
        if not kind.has_status or not wanted:
            return made
        return self.edit(kind, place, lambda live: live.update({"status": clone_map(wanted)}))

    def _await(self, kind: Kind, place: Place) -> bool:
        """Wait for what somebody else is making now; tell whether it came."""
        for _ in range(_MOST_LOOKS):
            if self._remote.refresh(kind, place) is not None:
                return True
            time.sleep(_LOOK_S)
        return False

    def edit(self, kind: Kind, place: Place, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of an object and send what differs; None when it is gone."""
        for _ in range(_MOST_ATTEMPTS):
            live = self._store.get(place.resource, place.namespace, place.name)
            if live is None:
                return None
            changed = clone_map(live)
            change(changed)
            try:
                self._send(kind, place, live, changed)
            except ConflictError:
                self._remote.refresh(kind, place)
            except NotFoundError:
                return self._remote.refresh(kind, place)
            except ApiError as error:
                raise _tell(error, f"change {_name(place)}") from error
            else:
                return self._store.get(place.resource, place.namespace, place.name)
        raise ConflictError(f"somebody else changes it all the time: {_name(place)}")

    def delete(self, kind: Kind, live: Object, grace_s: int | None) -> None:
        """Delete an object; it stays, marked, while something holds it."""
        self._check()
        options: Object = {
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid_of(live)},
        }
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self._remote.delete(kind, live, options)
        except (NotFoundError, ConflictError):
            place = Place(kind.resource, namespace_of(live), name_of(live))
            self._remote.refresh(kind, place)

    def remove(self, kind: Kind, place: Place) -> None:
        """Delete an object without grace."""
        live = self._store.get(place.resource, place.namespace, place.name)
        if live is not None:
            self.delete(kind, live, 0)

    def _send(self, kind: Kind, place: Place, live: Object, changed: Object) -> None:
        version = at(live, "metadata").get("resourceVersion")
        for subresource, patch in list_patches(kind, live, changed):
            self._check()
            if subresource == "binding":
                self._bind(kind, place, patch)
                # It sets a condition, too: what else is to change is found anew.
                raise ConflictError("bound")
            if subresource == "finalize":
                self._remote.replace(kind, {**live, **patch}, subresource)
                return
            metadata = at(patch, "metadata")
            body: Object = {**patch, "metadata": {**metadata, "resourceVersion": version}}
            answer = self._remote.merge(kind, place, body, subresource, _BY_LAB)
            version = at(answer, "metadata").get("resourceVersion")

    def _bind(self, kind: Kind, place: Place, patch: Object) -> None:
        metadata: Object = {"name": place.name, "namespace": place.namespace}
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": metadata,
            "target": {"apiVersion": "v1", "kind": "Node", "name": patch["nodeName"]},
        }
        self._remote.create(kind, binding, subresource="binding")


def _name(place: Place) -> str:
    return "/".join(filter(None, (place.resource, place.namespace, place.name)))


def _tell(error: ApiError, what: str) -> ApiError:
    """Log a refusal: the lab's controllers took for granted what a real API server does not.

    What is forbidden is a matter of policy, and of the cluster's owner.
    """
    if not isinstance(error, ForbiddenError | UnavailableError):
        _log.warning("refused: %s: %s", what, error.message)
    return error
