"""Why a machine is not ready: the conditions of MachineStatus that are not met.

Source: `machine_status.go` of Talos v1.13: computed in the stages booting and running only; other
stages count as ready.
"""

from __future__ import annotations

from lab.machines.boot import Stage
from lab.machines.faults import Fault
from lab.machines.machine import Machine
from lab.machines.protos import machine_pb2
from lab.ports import KubernetesPlane

__all__ = ["find_unmet", "make_status_event"]

_STAGES = {
    Stage.UNKNOWN: "UNKNOWN",
    Stage.BOOTING: "BOOTING",
    Stage.INSTALLING: "INSTALLING",
    Stage.MAINTENANCE: "MAINTENANCE",
    Stage.RUNNING: "RUNNING",
    Stage.REBOOTING: "REBOOTING",
    Stage.SHUTTING_DOWN: "SHUTTING_DOWN",
    Stage.RESETTING: "RESETTING",
    Stage.UPGRADING: "UPGRADING",
}


def find_unmet(machine: Machine, plane: KubernetesPlane) -> tuple[tuple[str, str], ...]:
    """Find the unmet conditions, each with its reason, in Talos' order."""
    if machine.boot.stage not in {Stage.BOOTING, Stage.RUNNING}:
        return ()
    reasons = (
        ("time", _check_time(machine)),
        ("services", _check_services(machine)),
        ("staticPods", _check_static_pods(machine)),
        ("nodeReady", _check_node(machine, plane)),
    )
    return tuple((name, reason) for name, reason in reasons if reason)


def make_status_event(machine: Machine) -> machine_pb2.MachineStatusEvent:
    """Describe stage and conditions as the event stream does."""
    unmet = [
        machine_pb2.MachineStatusEvent.MachineStatus.UnmetCondition(name=name, reason=reason)
        for name, reason in machine.boot.unmet
    ]
    return machine_pb2.MachineStatusEvent(
        stage=_STAGES[machine.boot.stage],
        status=machine_pb2.MachineStatusEvent.MachineStatus(
            ready=machine.boot.ready, unmet_conditions=unmet
        ),
    )


def _check_time(machine: Machine) -> str:
    return "time is not synced" if machine.has_fault(Fault.TIME_NOT_SYNCED) else ""


def _check_services(machine: Machine) -> str:
    required = ["apid", "machined", "kubelet"]
    if machine.is_control_plane:
        required += ["etcd", "trustd"]
    problems = []
    running = set()
    for service in machine.boot.services.get_all():
        if not service.is_running:
            problems.append(f"{service.id} not running")
            continue
        running.add(service.id)
        if service.health is False:
            problems.append(f"{service.id} not healthy")
    problems += [f"{name} not running" for name in required if name not in running]
    return ", ".join(problems)


def _check_static_pods(machine: Machine) -> str:
    # Talos knows static pods once the kubelet reports them, so nothing is missing before that.
    etcd_is_up = machine.is_control_plane and machine.boot.services.is_up("etcd")
    if not etcd_is_up or machine.boot.apiserver_runs:
        return ""
    return f"kube-system/kube-apiserver-{machine.hostname} not ready"


def _check_node(machine: Machine, plane: KubernetesPlane) -> str:
    if machine.is_isolated or (machine.config and machine.config.skips_node_registration):
        return ""
    name = machine.hostname
    if machine.boot.node_told is None:
        return f'node "{name}" status is not available yet'
    return "" if plane.is_node_ready(name) else f'node "{name}" is not ready'
