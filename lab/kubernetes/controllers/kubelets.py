"""Kubelets: pods that are bound to a node pull, start, become Ready, finish, and go."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers import podstatus
from lab.kubernetes.controllers.children import list_pods_on
from lab.kubernetes.controllers.cnpg_instances import find_end
from lab.kubernetes.controllers.longhorn_access import explain_unattached
from lab.kubernetes.controllers.longhorn_managers import VOLUMES
from lab.kubernetes.controllers.movers import find_exit_code
from lab.kubernetes.controllers.scheduling import claims_of
from lab.kubernetes.controllers.services import find_awaited
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import (
    IMAGE_PULL_S,
    JOB_RUN_S,
    POD_READY_S,
    POD_START_S,
    POD_STOP_S,
)
from lab.kubernetes.faults import IMAGE_FAULTS, PodFault
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    is_going,
    maps,
    name_of,
    namespace_of,
    text,
    uid_of,
)

__all__ = ["Kubelets"]

# How containers end by faults: exit code and reason.
_ENDS = {
    PodFault.CRASHING: (1, "Error"),
    PodFault.OUT_OF_MEMORY: (137, "OOMKilled"),
    PodFault.RECOVERY_ABSENT: (1, "Error"),
    # What an instance's manager of CloudNativePG ends with when there is no room for WAL.
    PodFault.DATABASE_FULL: (4, "Error"),
}


class Kubelets:
    """The pods of every node whose kubelet runs."""

    resources = frozenset(
        {
            *("pods", "configmaps", "secrets", "persistentvolumeclaims", "nodes"),
            *(VOLUMES, "endpointslices.discovery.k8s.io"),
        }
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._pulled: set[tuple[str, str]] = set()  # node, image
        self._blocked: dict[Place, None] = {}
        self._begun: set[str] = set()  # uids of pods being started

    def places(self, change: Change) -> Iterable[Place]:
        """A pod; blocked pods when what they may wait for changed."""
        if change.resource == "pods":
            yield change.place
            return
        for place in list(self._blocked):
            if change.resource in {"nodes", VOLUMES} or place.namespace == change.place.namespace:
                yield place

    def reconcile(self, place: Place) -> None:
        """Move one pod on, as far as it goes without waiting."""
        pod = self._world.find(place)
        if pod is None:
            self._blocked.pop(place, None)
            return
        node = text(pod, "spec", "nodeName")
        if node not in self._world.nodes:
            return
        if is_going(pod):
            self._stop(place, pod)
        elif text(pod, "status", "phase") == "Pending" and uid_of(pod) not in self._begun:
            self._begin(place, pod, node)

    def restart_pods(self, node: str) -> None:
        """Start what was on a node again: its machine came back."""
        for pod in list_pods_on(self._world, node):
            if not _is_static(pod):
                place = Place("pods", namespace_of(pod), name_of(pod))
                if text(pod, "status", "phase") in {"Running", "Pending"}:
                    self._begun.discard(uid_of(pod))
                    self._world.edit(place, podstatus.restart)
                self._world.queue(self, place)

    def stop_pods(self, node: str) -> None:
        """Stop what runs on a node: its machine goes down."""
        self._world.networked.discard(node)
        now = self._world.api.now()
        for pod in list_pods_on(self._world, node):
            self._world.forget(f"pod/{uid_of(pod)}")
            self._begun.discard(uid_of(pod))
            place = Place("pods", namespace_of(pod), name_of(pod))
            self._world.edit(place, lambda obj: podstatus.mark_unready(obj, now=now))

    def resume_pods(self, node: str) -> None:
        """Go on with what was on a node: it was only not heard of."""
        for pod in list_pods_on(self._world, node):
            if podstatus.is_crashing(pod):
                continue
            place = Place("pods", namespace_of(pod), name_of(pod))
            self._world.queue(self, place)
            if text(pod, "status", "phase") != "Running":
                continue
            if text(pod, "spec", "restartPolicy") == "Always":
                self._ready(place, uid_of(pod))
            else:
                self._finished(place, uid_of(pod))

    def try_again(self) -> None:
        """Start again what could not be pulled, and what crashed: a fault is over."""
        for place in list(self._blocked):
            self._world.queue(self, place)
        for pod in self._world.store.all("pods"):
            if podstatus.is_crashing(pod):
                place = Place("pods", namespace_of(pod), name_of(pod))
                self._begun.discard(uid_of(pod))
                self._world.edit(place, podstatus.restart)
                self._world.queue(self, place)

    def forget_images(self, node: str) -> None:
        """Forget what a node pulled: its disk was wiped."""
        self._pulled = {pulled for pulled in self._pulled if pulled[0] != node}

    def _begin(self, place: Place, pod: Object, node: str) -> None:
        if not dig(pod, "spec", "hostNetwork") and node not in self._world.networked:
            self._block(place, pod, "ContainerCreating", "")
            return
        if claim := self._find_unbound(pod):
            self._block(place, pod, "ContainerCreating", f"claim {claim} is not bound")
            return
        if why := explain_unattached(self._world, pod, node):
            self._world.tell(pod, "FailedAttachVolume", why)
            self._block(place, pod, "ContainerCreating", "")
            return
        if missing := podstatus.find_missing(self._world.store, pod):
            reason = "ContainerCreating" if missing.is_volume else "CreateContainerConfigError"
            if missing.is_volume:
                message = f'MountVolume.SetUp failed for volume "{missing.volume}" : {missing}'
                self._world.tell(pod, "FailedMount", message)
            else:
                self._world.tell(pod, "Failed", f"Error: {missing}")
            self._block(place, pod, reason, str(missing))
            return
        if failure := self._find_unpullable(pod):
            image, why = failure
            self._world.tell(pod, "Failed", f'Failed to pull image "{image}": {why}')
            message = f'Back-off pulling image "{image}": ErrImagePull: {why}'
            self._block(place, pod, "ImagePullBackOff", message)
            return
        if awaited := find_awaited(self._world, pod):
            self._hold(place, pod, node, awaited)
            return
        self._blocked.pop(place, None)
        self._begun.add(uid_of(pod))
        images = {text(container, "image") for container in _containers(pod)}
        fresh = [image for image in images if (node, image) not in self._pulled]
        # Images of one pod are pulled one after another (serializeImagePulls is on by default).
        seconds = len(fresh) * IMAGE_PULL_S + len(_containers(pod)) * POD_START_S
        self._world.later(
            f"pod/{uid_of(pod)}",
            seconds,
            f"pod {place.namespace}/{place.name} started",
            lambda: self._started(place, uid_of(pod), node, images),
        )

    def _started(self, place: Place, uid: str, node: str, images: set[str]) -> None:
        self._pulled.update((node, image) for image in images)
        pod = self._world.find(place)
        if pod is None or uid_of(pod) != uid or node not in self._world.nodes:
            return
        address = podstatus.find_address(self._world, pod)
        now = self._world.api.now()
        host = self._world.nodes[node].address
        self._world.edit(place, lambda obj: podstatus.mark_started(obj, address, host, now=now))
        faults = self._world.faults
        fault = faults.of_pod(f"{place.namespace}/{place.name}") or find_end(faults, pod)
        if fault is not None:
            self._end(place, pod, fault)
            return
        ends = text(pod, "spec", "restartPolicy") != "Always" and not podstatus.listens(pod)
        self._world.later(
            f"pod/{uid}",
            JOB_RUN_S if ends else POD_READY_S,
            f"pod {place.namespace}/{place.name} {'finished' if ends else 'ready'}",
            lambda: self._finished(place, uid) if ends else self._ready(place, uid),
        )

    def _end(self, place: Place, pod: Object, fault: PodFault) -> None:
        """Let the containers end by a fault: for good, or to be started again and again."""
        (code, why), now = _ENDS[fault], self._world.api.now()
        if text(pod, "spec", "restartPolicy") == "Never":
            self._world.edit(
                place, lambda obj: podstatus.mark_failed(obj, code=code, why=why, now=now)
            )
            return
        self._world.edit(
            place, lambda obj: podstatus.mark_crashing(obj, code=code, why=why, now=now)
        )
        self._world.tell(pod, "BackOff", "Back-off restarting failed container")

    def _ready(self, place: Place, uid: str) -> None:
        pod = self._world.find(place)
        if pod is not None and uid_of(pod) == uid and not is_going(pod):
            now = self._world.api.now()
            self._world.edit(place, lambda obj: podstatus.mark_ready(obj, now=now))

    def _finished(self, place: Place, uid: str) -> None:
        pod = self._world.find(place)
        if pod is not None and uid_of(pod) == uid:
            now = self._world.api.now()
            if code := find_exit_code(self._world, pod):
                self._world.edit(place, lambda obj: podstatus.mark_failed(obj, code=code, now=now))
            else:
                self._world.edit(place, lambda obj: podstatus.mark_succeeded(obj, now=now))

    def _stop(self, place: Place, pod: Object) -> None:
        self._blocked.pop(place, None)
        self._world.forget(f"pod/{uid_of(pod)}")
        uid = uid_of(pod)

        def gone() -> None:
            left = self._world.find(place)
            if left is not None and uid_of(left) == uid:
                self._begun.discard(uid)
                self._world.delete(place, grace_s=0)

        what = f"pod {place.namespace}/{place.name} stopped"
        self._world.later(f"stop/{uid}", POD_STOP_S, what, gone)

    def _block(self, place: Place, pod: Object, reason: str, message: str) -> None:
        del pod
        self._blocked[place] = None
        self._world.edit(place, lambda obj: podstatus.mark_waiting(obj, reason, message))

    def _hold(self, place: Place, pod: Object, node: str, container: str) -> None:
        """Let a pod's first container wait for a database; its image is there meanwhile."""
        self._blocked[place] = None
        self._pulled.update(
            (node, text(item, "image")) for item in maps(pod, "spec", "initContainers")
        )
        now = self._world.api.now()
        if not maps(pod, "status", "initContainerStatuses"):
            self._world.edit(
                place, lambda obj: podstatus.mark_initializing(obj, container, now=now)
            )

    def _find_unbound(self, pod: Object) -> str:
        for claim in claims_of(pod):
            found = self._world.store.get("persistentvolumeclaims", namespace_of(pod), claim)
            if found is None or text(found, "status", "phase") != "Bound":
                return claim
        return ""

    def _find_unpullable(self, pod: Object) -> tuple[str, str] | None:
        """Return the first image that a fault keeps away, and what containerd says."""
        for container in _containers(pod):
            image = text(container, "image")
            if fault := self._world.faults.of_image(image):
                return image, IMAGE_FAULTS[fault]
        return None


def _containers(pod: Object) -> list[Object]:
    return maps(pod, "spec", "initContainers") + maps(pod, "spec", "containers")


def _is_static(pod: Object) -> bool:
    return "kubernetes.io/config.mirror" in at(pod, "metadata", "annotations")
