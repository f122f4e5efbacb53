"""How objects change: identity, generation, status kept apart, finalizers, deletion."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Callable, Iterable

from lab.kubernetes.defaults import fill_in, fill_in_new
from lab.kubernetes.errors import BadRequestError, ForbiddenError, InvalidError, NotFoundError
from lab.kubernetes.kinds import Kind
from lab.kubernetes.store import Store
from lab.kubernetes.users import User
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    grow,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    texts,
)

__all__ = ["Writer", "is_held", "random_suffix"]

_IMMUTABLE = ("uid", "creationTimestamp", "generation", "deletionTimestamp")
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand
_WITHOUT_GENERATION = {
    "certificatesigningrequests.certificates.k8s.io",
    "leases.coordination.k8s.io",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "services",
}
# Whose spec no update changes, and none complains.
_FIXED = {"certificatesigningrequests.certificates.k8s.io", "namespaces"}
_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"


def random_suffix(length: int = 5) -> str:
    """Make the random end of a generated name."""
    return "".join(secrets.choice(_SUFFIX) for _ in range(length))


class Writer:
    """Turns what clients send into what is stored."""

    def __init__(self, store: Store, now: Callable[[], str]) -> None:
        self._store = store
        self._now = now

    def place(self, kind: Kind, obj: Object) -> Object:
        """Put the object where its kind lives: a namespace, or none; check its name."""
        metadata = grow(obj, "metadata")
        if not kind.namespaced:
            metadata.pop("namespace", None)
        elif not namespace_of(obj):
            metadata["namespace"] = "default"
        if not name_of(obj):
            prefix = text(metadata, "generateName")
            if not prefix:
                why = "Required value: name or generateName is required"
                cause = ("metadata.name", "FieldValueRequired", why)
                raise InvalidError.of_field(kind.kind, kind.group, "", cause)
            metadata["name"] = prefix + random_suffix()
        elif set(name_of(obj)) - _NAME_CHARACTERS and not kind.resource.startswith(_FREE_NAMES):
            why = f'Invalid value: "{name_of(obj)}": {_NAME_RULE}'
            cause = ("metadata.name", "FieldValueInvalid", why)
            raise InvalidError.of_field(kind.kind, kind.group, name_of(obj), cause)
        return obj

    def prepare(self, kind: Kind, obj: Object, user: User) -> Object:
        """Complete a new object, in place: identity, defaults, status of its own."""
        self._check_namespace(kind, obj)
        self.stamp(kind, obj)
        if kind.has_status:
            obj.pop("status", None)
        fill_in(kind.resource, obj)
        fill_in_new(kind.resource, obj, user, self._now())
        return obj

    def stamp(self, kind: Kind, obj: Object) -> None:
        """Give a new object its identity."""
        metadata = grow(obj, "metadata")
        metadata.pop("resourceVersion", None)
        metadata.pop("deletionTimestamp", None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self._now()
        if kind.crd or ("spec" in obj and kind.resource not in _WITHOUT_GENERATION):
            metadata["generation"] = 1

    def narrow(self, kind: Kind, obj: Object, subresource: str) -> Object:
        """Keep of an applied object what the endpoint covers."""
        if subresource == "status":
            kept = {"apiVersion", "kind", "metadata", "status"}
            return {key: value for key, value in obj.items() if key in kept}
        if kind.has_status:
            return {key: value for key, value in obj.items() if key != "status"}
        return obj

    def revise(self, kind: Kind, live: Object, obj: Object, subresource: str) -> Object:
        """Build the next state of an existing object from what a client sent."""
        if subresource:
            revised = clone_map(live)
            _take_over(revised, obj, subresource, self._now())
            managed = dig(obj, "metadata", "managedFields")
            if managed is not None:
                grow(revised, "metadata")["managedFields"] = managed
            return revised
        metadata = grow(obj, "metadata")
        for key in (*_IMMUTABLE, "deletionGracePeriodSeconds"):
            if key in at(live, "metadata"):
                metadata[key] = at(live, "metadata")[key]
            else:
                metadata.pop(key, None)
        if kind.has_status or kind.resource == "namespaces":
            obj.pop("status", None)
            if "status" in live:
                obj["status"] = live["status"]
        if kind.resource in _FIXED:
            obj["spec"] = live.get("spec", {})
        fill_in(kind.resource, obj)
        _keep_assigned(kind, live, obj)
        if "generation" in metadata and _content(kind, live) != _content(kind, obj):
            metadata["generation"] = number(metadata, "generation") + 1
        return obj

    def write(self, kind: Kind, obj: Object, live: Object | None) -> Object:
        """Store the object unless it is as before; remove it when its last finalizer went."""
        if live is not None:
            if "deletionTimestamp" in at(obj, "metadata") and not is_held(kind, obj):
                return self._store.remove(kind.resource, namespace_of(obj), name_of(obj)) or obj
            grow(obj, "metadata")["resourceVersion"] = at(live, "metadata")["resourceVersion"]
            if obj == live:
                return live
        return self._store.put(kind.resource, obj)

    def delete(self, kind: Kind, live: Object, propagation: str, grace_s: int | None) -> Object:
        """Remove an object, or mark it as being deleted while something holds it."""
        marked = clone_map(live)
        finalizers = texts(live, "metadata", "finalizers")
        holder = {"Foreground": _FOREGROUND, "Orphan": _ORPHAN}.get(propagation, "")
        if (
            holder
            and holder not in finalizers
            and self._store.owned_by(text(live, "metadata", "uid"))
        ):
            held: list[Json] = [*finalizers, holder]
            grow(marked, "metadata")["finalizers"] = held
        if kind.resource == "customresourcedefinitions.apiextensions.k8s.io":
            held = [*finalizers, "customresourcecleanup.apiextensions.k8s.io"]
            grow(marked, "metadata")["finalizers"] = held
        grace = _find_grace(kind, live, grace_s)
        if not grace and not is_held(kind, marked):
            return self._store.remove(kind.resource, namespace_of(live), name_of(live)) or live
        metadata = grow(marked, "metadata")
        if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds") == grace:
            return live
        metadata.setdefault("deletionTimestamp", self._now())
        metadata["deletionGracePeriodSeconds"] = grace
        if kind.resource == "namespaces":
            grow(marked, "status")["phase"] = "Terminating"
        return self._store.put(kind.resource, marked)

    def _check_namespace(self, kind: Kind, obj: Object) -> None:
        if not kind.namespaced:
            return
        name = namespace_of(obj)
        space = self._store.get("namespaces", "", name)
        if space is None:
            raise NotFoundError.of("namespaces", "", name)
        if text(space, "status", "phase") == "Terminating":
            raise ForbiddenError(
                f'{kind.resource} "{name_of(obj)}" is forbidden: unable to create new content in '
                f"namespace {name} because it is being terminated",
                details=_terminating(kind, obj),
            )


_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME_CHARACTERS = set(string.ascii_lowercase + string.digits + "-.")
_FREE_NAMES = ("roles.", "rolebindings.", "clusterroles.", "clusterrolebindings.")


def _terminating(kind: Kind, obj: Object) -> Object:
    cause: Object = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace_of(obj)} is being terminated",
        "field": "metadata.namespace",
    }
    details: Object = {"name": name_of(obj), "kind": kind.plural, "causes": [cause]}
    if kind.group:
        details["group"] = kind.group
    return details


def _take_over(revised: Object, obj: Object, subresource: str, now: str) -> None:
    match subresource:
        case "status":
            revised["status"] = obj.get("status", {})
        case "approval":
            grow(revised, "status")["conditions"] = dig(obj, "status", "conditions")
            for condition in maps(revised, "status", "conditions"):
                condition.setdefault("lastUpdateTime", now)
                condition.setdefault("lastTransitionTime", now)
        case "finalize":
            grow(revised, "spec")["finalizers"] = dig(obj, "spec", "finalizers")
        case "scale":
            before = number(revised, "spec", "replicas")
            grow(revised, "spec")["replicas"] = number(obj, "spec", "replicas")
            if before != number(obj, "spec", "replicas"):
                metadata = grow(revised, "metadata")
                metadata["generation"] = number(metadata, "generation") + 1
        case other:
            raise BadRequestError(f"unknown subresource: `{other}`")


def _keep_assigned(kind: Kind, live: Object, obj: Object) -> None:
    """Keep what controllers assigned into spec when a client sends the manifest again."""
    assigned: Iterable[str] = ()
    if kind.resource == "services":
        assigned = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
    elif kind.resource == "persistentvolumeclaims":
        assigned = ("volumeName", "storageClassName", "volumeMode")
    elif kind.resource == "pods":
        assigned = ("nodeName",)
    for key in assigned:
        if key in at(live, "spec") and key not in at(obj, "spec"):
            grow(obj, "spec")[key] = at(live, "spec")[key]


def _content(kind: Kind, obj: Object) -> Object:
    apart = {"metadata", "status"} if kind.has_status or not kind.crd else {"metadata"}
    return {key: value for key, value in obj.items() if key not in apart}


def is_held(kind: Kind, obj: Object) -> bool:
    """Tell whether an object that is being deleted stays for now."""
    if texts(obj, "metadata", "finalizers"):
        return True
    if kind.resource == "namespaces":
        return bool(texts(obj, "spec", "finalizers"))
    return bool(kind.resource == "pods" and number(obj, "metadata", "deletionGracePeriodSeconds"))


def _find_grace(kind: Kind, live: Object, grace_s: int | None) -> int:
    if kind.resource != "pods" or not text(live, "spec", "nodeName"):
        return 0
    if text(live, "status", "phase") in {"Succeeded", "Failed"}:
        return 0
    default = number(live, "spec", "terminationGracePeriodSeconds", default=30)
    return default if grace_s is None else grace_s
