"""Cordon and drain by the machine itself, before it stops what runs on it; uncordon after a boot.

Source: `cordonAndDrainNode` (`v1alpha1_sequencer_tasks.go`), `k8s/node_cordoned_spec.go` and
`pkg/kubernetes/kubernetes.go` of Talos v1.13.9. A budget that forbids an eviction never fails a
drain: after five minutes the sequence goes on, and the pod is stopped with all others.
"""

from __future__ import annotations

import asyncio

from lab.machines import durations
from lab.machines.machine import Machine
from lab.machines.table import MachineTable
from lab.ports import NodeKeeper, NodeKeeperError, PodOnNode

__all__ = ["DrainError", "cordon", "cordon_and_drain", "tend_cordon"]

_TASK = "task cordonAndDrainNode (1/1): "
_LATE = "client rate limiter Wait returned an error: context deadline exceeded"


class DrainError(Exception):
    """The machine cannot drain its node; the text is what the task says."""


async def cordon(machine: Machine, table: MachineTable) -> None:
    """Cordon the node once, as far as the Kubernetes API can be reached."""
    if _has_joined(machine) and _reaches_api(machine, table):
        try:
            await table.plane.keeper.cordon(machine.hostname)
        except NodeKeeperError as error:
            machine.log(f"k8s.NodeApplyController: {error}")


async def cordon_and_drain(machine: Machine, table: MachineTable) -> None:
    """Wait until the node is cordoned, then evict its pods.

    Raises:
        DrainError: it is not cordoned within a minute, or its pods cannot be listed.
    """
    if not _has_joined(machine):
        return  # no kubelet has ever got a certificate
    keeper, name, clock = table.plane.keeper, machine.hostname, machine.clock
    machine.log(f"{_TASK}waiting for node to be cordoned")
    deadline_s = clock.elapsed_s() + durations.CORDON_PATIENCE_S
    while not keeper.is_cordoned(name):
        if clock.elapsed_s() >= deadline_s:
            raise DrainError("context deadline exceeded")
        await clock.pause(durations.STATUS_POLL_S)
        await cordon(machine, table)
    deadline_s = clock.elapsed_s() + durations.DRAIN_PATIENCE_S
    try:
        pods = await keeper.list_evictable(name)
    except NodeKeeperError as error:
        raise DrainError(f"cannot get pods for node {name}: {error}") from error
    async with asyncio.TaskGroup() as group:
        for pod in pods:
            group.create_task(_evict(machine, keeper, pod, deadline_s))


async def tend_cordon(machine: Machine, table: MachineTable) -> None:
    """Uncordon the node, once a boot, if it was Talos that cordoned it."""
    if machine.boot.is_uncordoned or not _reaches_api(machine, table):
        return
    try:
        machine.boot.is_uncordoned = await table.plane.keeper.uncordon(machine.hostname)
    except NodeKeeperError as error:
        machine.log(f"k8s.NodeApplyController: {error}")


async def _evict(machine: Machine, keeper: NodeKeeper, pod: PodOnNode, deadline_s: float) -> None:
    """Evict one pod and see it go; a failure is only logged."""
    clock, problem = machine.clock, ""
    try:
        while not await keeper.evict(pod):
            await clock.pause(durations.EVICT_RETRY_S)
            if clock.elapsed_s() >= deadline_s:
                problem = f"failed to evict pod {pod}: {_LATE}"
                break
        gone_by_s = min(deadline_s, clock.elapsed_s() + durations.POD_GONE_PATIENCE_S)
        while not problem and await keeper.has_pod(pod):
            if clock.elapsed_s() >= gone_by_s:
                problem = f"failed waiting on pod {pod} to be deleted: "
                problem += "timeout: pod is still running on the node"
            await clock.pause(durations.POD_GONE_POLL_S)
    except NodeKeeperError as error:
        problem = f"failed to evict pod {pod}: {error}"
    if problem:
        machine.log(f"WARNING: failed to evict pod: {problem}")


def _has_joined(machine: Machine) -> bool:
    return machine.install is not None and machine.install.has_joined


def _reaches_api(machine: Machine, table: MachineTable) -> bool:
    """Tell whether a control plane reaches its own API server, a worker any."""
    own = machine.boot.api_is_usable or not machine.is_control_plane
    return own and table.has_apiserver(machine)
