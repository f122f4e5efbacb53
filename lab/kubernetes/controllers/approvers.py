"""Programs in the cluster that decide about kubelets' requests, while they run there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from lab.kubernetes.controllers.approval import IgnoredError, find_objection, read_settings
from lab.kubernetes.controllers.cert_approver import judge_by_cert_approver
from lab.kubernetes.controllers.cloud_manager import judge_by_cloud_manager, runs_controller
from lab.kubernetes.controllers.requests import Verdict, is_pending, read_request
from lab.kubernetes.controllers.world import Controller, World, set_condition
from lab.kubernetes.durations import IN_CLUSTER_APPROVAL_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, grow, maps, name_of, number, text

__all__ = ["CLOUD_MANAGER", "WORKLOADS", "find_running", "is_workload_of", "make_approvers"]

CLOUD_MANAGER = "talos-cloud-controller-manager"
WORKLOADS = ("deployments.apps", "daemonsets.apps")
_CSRS = "certificatesigningrequests.certificates.k8s.io"


class _Judge(Protocol):
    """One program: what it thinks of a request, by how it was started."""

    @property
    def program(self) -> str:
        """Name of its image, or a part of its workload's name."""
        ...

    @property
    def looks_once(self) -> bool:
        """Whether it looks at what is new only."""
        ...

    def judge(self, request: Object, workload: Object, world: World) -> Verdict | None:
        """Decide about a pending request; None where it is left alone."""
        ...


class _CsrApprover:
    """postfinance's kubelet-csr-approver."""

    program = "kubelet-csr-approver"
    looks_once = False

    def judge(self, request: Object, workload: Object, world: World) -> Verdict | None:
        settings = read_settings(workload)
        nodes = {name: facts.address for name, facts in world.nodes.items()}
        if settings is None:
            return None
        try:
            objection = find_objection(request, settings, nodes)
        except IgnoredError:
            return None
        process = "kubelet-csr-approver validation process"
        if not objection:
            message = f"CSR complied with {process}"
            return Verdict("Approved", "kubelet-serving cert validated", message)
        if not settings.denies:
            return None
        message = f"CSR not complying with {process}. Reason: {objection}"
        return Verdict("Denied", "kubelet-serving cert denied", message)


class _CertApprover:
    """alex1989hu's kubelet-serving-cert-approver."""

    program = "kubelet-serving-cert-approver"
    looks_once = False

    def judge(self, request: Object, workload: Object, world: World) -> Verdict | None:
        del workload, world
        return judge_by_cert_approver(request)


class _CloudManager:
    """Talos' own cloud controller manager."""

    program = CLOUD_MANAGER
    looks_once = True

    def judge(self, request: Object, workload: Object, world: World) -> Verdict | None:
        if not runs_controller(workload, "node-csr-approval"):
            return None
        asked = read_request(request)
        name = asked.names[0] if asked and asked.names else ""
        return judge_by_cloud_manager(request, world.find(Place("nodes", "", name)))


class _Approver:
    """Lets one program decide while a workload of it is ready."""

    resources = frozenset({_CSRS, *WORKLOADS})

    def __init__(self, world: World, judge: _Judge) -> None:
        self._world = world
        self._judge = judge

    def places(self, change: Change) -> Iterable[Place]:
        """A request; every request when the program becomes ready."""
        if change.resource == _CSRS:
            if change.type == "ADDED" or not self._judge.looks_once:
                yield change.place
        elif is_workload_of(change.object, self._judge.program):
            for request in self._world.store.all(_CSRS):
                yield Place(_CSRS, "", name_of(request))

    def reconcile(self, place: Place) -> None:
        """Decide about a pending request soon."""
        request = self._world.find(place)
        if request is None or not is_pending(request) or self._decide(request) is None:
            return
        self._world.later(
            f"approve/{self._judge.program}/{place.name}",
            IN_CLUSTER_APPROVAL_S,
            f"{place.name} judged in the cluster",
            lambda: self._write(place),
        )

    def _decide(self, request: Object) -> Verdict | None:
        verdicts = (
            self._judge.judge(request, workload, self._world)
            for workload in find_running(self._world, self._judge.program)
        )
        return next((verdict for verdict in verdicts if verdict is not None), None)

    def _write(self, place: Place) -> None:
        request = self._world.find(place)
        verdict = self._decide(request) if request and is_pending(request) else None
        if request is None or verdict is None:
            return
        now = self._world.api.now()

        def change(obj: Object) -> None:
            status = grow(obj, "status")
            reason, message = verdict.reason, verdict.message
            set_condition(status, verdict.kind, "True", reason, message, now=now)

        if verdict.kind:
            self._world.edit(place, change)
        if verdict.event[0]:
            self._world.tell(request, *verdict.event, warning=verdict.is_warning)


def make_approvers(world: World) -> tuple[Controller, ...]:
    """Make a controller for each program that the lab knows."""
    judges: tuple[_Judge, ...] = (_CsrApprover(), _CertApprover(), _CloudManager())
    return tuple(_Approver(world, judge) for judge in judges)


def is_workload_of(workload: Object, program: str) -> bool:
    """Tell whether a Deployment or DaemonSet runs a program, by its name or an image."""
    containers = maps(workload, "spec", "template", "spec", "containers")
    images = (text(container, "image").partition("@")[0] for container in containers)
    return program in name_of(workload) or any(
        image.rpartition("/")[2].partition(":")[0] == program for image in images
    )


def find_running(world: World, program: str) -> Iterator[Object]:
    """Yield the workloads of a program of which a pod is ready."""
    for resource in WORKLOADS:
        for workload in world.store.all(resource):
            ready = number(workload, "status", "readyReplicas")
            if is_workload_of(workload, program) and (
                ready or number(workload, "status", "numberReady")
            ):
                yield workload
