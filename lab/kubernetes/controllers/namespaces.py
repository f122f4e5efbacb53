"""Namespaces: what a new one gets, and how one that is deleted is emptied and goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, grow, is_going, name_of, namespace_of, texts

__all__ = ["NamespaceController"]

# Simulated seconds until a namespace that could not be emptied is tried again, doubled up to the
# second (pkg/controller/namespace: nsControllerRateLimiter).
_FIRST_RETRY_S, _LONGEST_RETRY_S = 5.0, 60.0
# pkg/controller/namespace/deletion/status_condition_utils.go: the reason of trouble, and reason and
# message of what is well.
_CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "NamespaceDeletionDiscoveryFailure": (
        "DiscoveryFailed",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "GroupVersionParsingFailed",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeletionFailed",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": (
        "SomeResourcesRemain",
        "ContentRemoved",
        "All content successfully removed",
    ),
    "NamespaceFinalizersRemaining": (
        "SomeFinalizersRemain",
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}


class NamespaceController:
    """Empties a namespace that is being deleted, then lets it go; gives new ones their basics."""

    resources = frozenset({"*"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._retries: dict[str, int] = {}

    def places(self, change: Change) -> Iterable[Place]:
        """A changed namespace, or the one that something left."""
        if change.resource == "namespaces":
            yield change.place
        elif change.type == "DELETED" and namespace_of(change.object):
            yield Place("namespaces", "", namespace_of(change.object))

    def reconcile(self, place: Place) -> None:
        """Give a namespace its ServiceAccount and CA, or empty it."""
        space = self._world.find(place)
        if space is None:
            return
        if not is_going(space):
            self._furnish(place.name)
            return
        left: list[Place] = []
        for resource in self._world.store.resources():
            for obj in self._world.store.all(resource, place.name):
                inside = Place(resource, place.name, name_of(obj))
                if not is_going(obj):
                    self._world.delete(inside)
                if self._world.find(inside) is not None:
                    left.append(inside)
        stale = self._world.inside.list_stale()
        if left or stale:
            self._explain(place, left, stale)
        else:
            self._retries.pop(place.name, None)
            self._world.edit(place, lambda obj: grow(obj, "spec").update({"finalizers": []}))
        if stale:
            self._try_again(place)

    def _try_again(self, place: Place) -> None:
        """Ask discovery anew after a while: nobody tells when it is whole."""
        count = self._retries.get(place.name, 0)
        self._retries[place.name] = count + 1
        after_s = min(_FIRST_RETRY_S * 2.0**count, _LONGEST_RETRY_S)
        key = f"namespace/{place.name}"
        self._world.expire(key, after_s, lambda: self._world.queue(self, place))

    def _furnish(self, name: str) -> None:
        if self._world.store.get("serviceaccounts", name, "default") is not None:
            return
        where: Object = {"name": "default", "namespace": name}
        self._world.plant({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where})
        pki = self._world.pki
        self._world.plant(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "kube-root-ca.crt", "namespace": name},
                "data": {"ca.crt": pki.ca_crt.decode() if pki else ""},
            }
        )

    def _explain(self, place: Place, left: list[Place], stale: Sequence[str]) -> None:
        """Say what keeps a namespace, in every condition that a real controller sets."""
        finalizers = Counter(
            finalizer
            for inside in left
            for finalizer in texts(self._world.find(inside) or {}, "metadata", "finalizers")
        )
        content = Counter(_describe_resource(inside.resource) for inside in left)
        found = {
            "NamespaceDeletionDiscoveryFailure": _describe_stale(stale),
            "NamespaceContentRemaining": _count("Some resources are remaining", "has", content),
            "NamespaceFinalizersRemaining": _count(
                "Some content in the namespace has finalizers remaining", "in", finalizers
            ),
        }

        def change(obj: Object) -> None:
            for kind, (failure, reason, message) in _CONDITIONS.items():
                trouble = found.get(kind, "")
                set_condition(
                    grow(obj, "status"),
                    kind,
                    "True" if trouble else "False",
                    failure if trouble else reason,
                    trouble or message,
                    now=self._world.api.now(),
                )

        self._world.edit(place, change)


def _describe_resource(resource: str) -> str:
    """Write `configmaps.`, `deployments.apps`: resource and group, which may be empty."""
    return resource if "." in resource else f"{resource}."


def _describe_stale(stale: Sequence[str]) -> str:
    """Say that discovery is incomplete, as client-go does; "" when it is not."""
    if not stale:
        return ""
    shown = ", ".join(f"{api}: stale GroupVersion discovery: {api}" for api in stale)
    return (
        f"Discovery failed for some groups, {len(stale)} failing: unable to retrieve the complete"
        f" list of server APIs: {shown}"
    )


def _count(what: str, verb: str, counted: Counter[str]) -> str:
    shown = ", ".join(
        f"{name} {verb} {counted[name]} resource instances" for name in sorted(counted)
    )
    return f"{what}: {shown}" if shown else ""
