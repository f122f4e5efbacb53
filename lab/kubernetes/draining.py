"""What Talos does to its own Node, and to the pods there: `lab.ports.NodeKeeper`.

Source: `k8s/node_apply.go` and `pkg/kubernetes/kubernetes.go` of Talos v1.13.9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lab.kubernetes.backend import Backend
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.errors import ApiError, NotFoundError, TooManyRequestsError
from lab.kubernetes.inside import Inside, Insider, Verb
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    grow,
    maps,
    name_of,
    namespace_of,
    text,
    uid_of,
)
from lab.ports import NodeKeeperError, PodOnNode

__all__ = ["Keeper"]

_CORDONED = "talos.dev/cordoned"
_MIRROR = "kubernetes.io/config.mirror"
# Seconds that pods get to end by themselves, whatever they ask for.
_GRACE_S = 60


class Keeper:
    """Cordons, evicts and uncordons in one cluster."""

    def __init__(self, backend: Backend, client: KubernetesClient, inside: Inside) -> None:
        self._backend = backend
        self._client = client
        self._inside = inside

    def is_cordoned(self, name: str) -> bool:
        """Tell whether the node takes no pods, as last heard."""
        node = self._backend.api.store.get("nodes", "", name)
        return node is not None and dig(node, "spec", "unschedulable") is True

    async def cordon(self, name: str) -> None:
        """Cordon a node, and mark it as cordoned by Talos unless somebody else was first."""
        with _told():
            await self._inside.meet_on(name, Verb.CHANGE)
            await self._client.get("v1", "Node", name)
            self._edit(name, _cordon)

    async def uncordon(self, name: str) -> bool:
        """Uncordon a node that Talos cordoned; tell whether there is such a node at all."""
        with _told():
            await self._inside.meet_on(name, Verb.CHANGE)
            if await self._client.find("v1", "Node", name) is None:
                return False
            self._edit(name, _uncordon)
            return True

    async def list_evictable(self, name: str) -> Sequence[PodOnNode]:
        """List the pods that a drain evicts: none of a DaemonSet's, none that nobody owns."""
        with _told():
            await self._inside.meet_on(name, Verb.READ)
            pods = await self._client.peek("v1", "Pod", fields=f"spec.nodeName={name}")
            return [
                PodOnNode(namespace_of(pod), name_of(pod), uid_of(pod))
                for pod in pods
                if _is_evictable(pod)
            ]

    async def evict(self, pod: PodOnNode) -> bool:
        """Evict a pod; False when its disruption budget forbids it now."""
        with _told():
            await self._inside.meet(Insider.KUBELET, Verb.CREATE)
            self._backend.api.check_available()
            try:
                self._backend.evict(Place("pods", pod.namespace, pod.name), _GRACE_S)
            except TooManyRequestsError:
                return False
            except NotFoundError:
                return True
            return True

    async def has_pod(self, pod: PodOnNode) -> bool:
        """Tell whether a pod is still there, and no other of its name."""
        with _told():
            await self._inside.meet(Insider.KUBELET, Verb.READ)
            found = await self._client.peek_one("v1", "Pod", pod.name, pod.namespace)
            return found is not None and uid_of(found) == pod.uid

    def _edit(self, name: str, change: Callable[[Object], None]) -> None:
        api = self._backend.api
        kind = api.registry.of_resource("nodes")
        if kind is not None:
            api.components.edit(kind, Place("nodes", "", name), change)


@contextmanager
def _told() -> Iterator[None]:
    """Say what the API refuses as machines know it."""
    try:
        yield
    except ApiError as error:
        raise NodeKeeperError(error.message) from error


def _cordon(node: Object) -> None:
    if dig(node, "spec", "unschedulable") is not True:
        grow(node, "spec")["unschedulable"] = True
        grow(node, "metadata", "annotations")[_CORDONED] = "true"


def _uncordon(node: Object) -> None:
    if _CORDONED in at(node, "metadata", "annotations"):
        grow(node, "spec").pop("unschedulable", None)
        grow(node, "metadata", "annotations").pop(_CORDONED)


def _is_evictable(pod: Object) -> bool:
    owners = [
        text(owner, "kind")
        for owner in maps(pod, "metadata", "ownerReferences")
        if owner.get("controller") is True
    ]
    is_mirror = _MIRROR in at(pod, "metadata", "annotations")
    return bool(owners) and "DaemonSet" not in owners and not is_mirror
