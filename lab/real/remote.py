"""Objects of a real API server: what is written is in the mirror before the writer goes on."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.kinds import Kind
from lab.kubernetes.store import Place
from lab.kubernetes.users import ADMIN, User
from lab.kubernetes.values import Object, is_going, name_of, namespace_of, text
from lab.kubernetes.writing import is_held
from lab.real.channel import Channel, Request
from lab.real.mirror import MirrorStore

__all__ = ["Remote", "find_path"]

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class Remote:
    """The verbs of an API server, each with its effect on the mirror."""

    def __init__(self, channel: Channel, store: MirrorStore) -> None:
        self._channel = channel
        self._store = store

    def create(
        self,
        kind: Kind,
        obj: Object,
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        user: User = ADMIN,
    ) -> Object:
        """Create an object, as `user`; a subresource of one by its name."""
        name = name_of(obj) if subresource else ""
        path = find_path(kind, namespace_of(obj), name, subresource, _version_of(obj))
        headers = {}
        if user is not ADMIN:
            # One group is enough here: nodes. `system:authenticated` is added by the server.
            headers = {"Impersonate-User": user.name, "Impersonate-Group": user.groups[0]}
        answer = self._channel.ask(Request("POST", path, query or {}, obj, headers=headers))
        return answer if subresource else self._take(kind, answer, query)

    def replace(
        self, kind: Kind, obj: Object, subresource: str, query: Mapping[str, str] | None = None
    ) -> Object:
        """Replace an object, or what a subresource covers."""
        path = find_path(kind, namespace_of(obj), name_of(obj), subresource, _version_of(obj))
        answer = self._channel.ask(Request("PUT", path, query or {}, obj))
        return self._take(kind, answer, query)

    def merge(
        self,
        kind: Kind,
        place: Place,
        body: Object,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """Send a JSON merge patch."""
        path = find_path(kind, place.namespace, place.name, subresource)
        answer = self._channel.ask(Request("PATCH", path, query or {}, body, form=_MERGE))
        return self._take(kind, answer, query)

    def apply(self, kind: Kind, obj: Object, subresource: str, query: Mapping[str, str]) -> Object:
        """Apply an object server-side."""
        path = find_path(kind, namespace_of(obj), name_of(obj), subresource, _version_of(obj))
        answer = self._channel.ask(Request("PATCH", path, query, obj, form=_APPLY))
        return self._take(kind, answer, query)

    def delete(self, kind: Kind, live: Object, options: Object) -> Object:
        """Delete an object; returns what is left of it, or its last."""
        path = find_path(kind, namespace_of(live), name_of(live))
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        try:
            answer = self._channel.ask(Request("DELETE", path, body=body))
        except NotFoundError:
            self._store.vanish(kind.resource, live)
            raise
        if "dryRun" in options:
            return live
        if text(answer, "kind") != "Status" and is_going(answer) and is_held(kind, answer):
            return self._take(kind, answer, None)
        self._store.vanish(kind.resource, live)
        return live

    def refresh(self, kind: Kind, place: Place) -> Object | None:
        """Read an object anew; None when it is gone."""
        try:
            path = find_path(kind, place.namespace, place.name)
            return self._take(kind, self._channel.ask(Request("GET", path)), None)
        except NotFoundError:
            known = self._store.get(place.resource, place.namespace, place.name)
            if known is not None:
                self._store.vanish(place.resource, known)
            return None

    def _take(self, kind: Kind, answer: Object, query: Mapping[str, str] | None) -> Object:
        if query and "dryRun" in query:
            return answer
        stored = {**answer, "apiVersion": kind.api_version()}
        if is_going(answer) and not is_held(kind, answer):
            self._store.vanish(kind.resource, stored)  # its last finalizer went
        else:
            self._store.accept(kind.resource, stored)
        return answer


def find_path(
    kind: Kind, namespace: str, name: str = "", subresource: str = "", version: str = ""
) -> str:
    """Build the path of a collection, an object or a subresource."""
    group_version = kind.api_version(version)
    parts = ["apis" if kind.group else "api", group_version]
    if kind.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts += [kind.plural, name, subresource]
    return "/" + "/".join(part for part in parts if part)


def _version_of(obj: Object) -> str:
    return text(obj, "apiVersion").rpartition("/")[2]
