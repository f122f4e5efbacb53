"""Containers whose process ended by itself, as their pods tell of it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.kubernetes.controllers import podstatus
from lab.kubernetes.controllers.world import World
from lab.kubernetes.inside import Insider
from lab.kubernetes.store import Place
from lab.kubernetes.values import name_of, namespace_of

__all__ = ["Restarts"]

# Processes that end together when their Leases cannot be renewed: how their pods' names begin.
_MANAGERS = ("kube-system/kube-controller-manager-", "kube-system/kube-scheduler-")
_FLUX = (
    "flux-system/source-controller-",
    "flux-system/kustomize-controller-",
    "flux-system/helm-controller-",
    "flux-system/notification-controller-",
)


class Restarts:
    """Has kubelets tell of controllers that lost their Lease."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[Sequence[str], int] = {}
        world.inside.listen(self._look)

    def _look(self) -> None:
        inside = self._world.inside
        for leader, prefixes in ((inside.manager, _MANAGERS), (inside.flux, _FLUX)):
            if leader.ended != self._told.get(prefixes, 0):
                self._told[prefixes] = leader.ended
                with self._world.act_as(Insider.KUBELET):
                    self._tell_soon(prefixes)

    def _tell_soon(self, prefixes: Sequence[str]) -> None:
        self._world.expire(f"ended/{prefixes[0]}", 0.0, lambda: self._tell(prefixes))

    def _tell(self, prefixes: Sequence[str]) -> None:
        """Count a restart in the first pod of each: it was the one that led."""
        now = self._world.api.now()
        pods = sorted(self._world.store.all("pods"), key=name_of)
        for prefix in prefixes:
            for pod in pods:
                if f"{namespace_of(pod)}/{name_of(pod)}".startswith(prefix):
                    place = Place("pods", namespace_of(pod), name_of(pod))
                    self._world.edit(place, lambda obj: podstatus.mark_restarted(obj, now=now))
                    break
