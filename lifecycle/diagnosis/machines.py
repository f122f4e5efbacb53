"""Why a machine, its kubelet or etcd is not as a step waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from inventory import Node
from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.sight import make_sight
from lifecycle.diagnosis.values import Diagnosis, Key
from lifecycle.drivers.talosctl import EtcdMember, Failure, MachineStatus, Talosctl, TalosctlError

__all__ = ["MachineSight", "explain_etcd", "explain_machine", "take_machine_sight"]

_FOREIGN = frozenset({Failure.UNKNOWN_AUTHORITY, Failure.CERTIFICATE_REQUIRED})


@dataclass(frozen=True, slots=True)
class MachineSight:
    """What one machine says of itself; `failure` is why it says nothing.

    `unhealthy` names its services that run and are not healthy, or should run and do not.
    """

    name: str
    address: str
    is_control_plane: bool
    status: MachineStatus | None = None
    failure: Failure | None = None
    message: str = ""
    unhealthy: tuple[str, ...] = ()
    etcd: str = ""


async def take_machine_sight(talosctl: Talosctl, node: Node) -> MachineSight:
    """Ask one machine; never raises TalosctlError."""
    plain = MachineSight(node.hostname, node.address, node.is_control_plane)
    try:
        status = await talosctl.machine_status(node.address)
    except TalosctlError as error:
        return await _ask_insecurely(talosctl, node, error)
    services, etcd = await asyncio.gather(
        _list_unhealthy(talosctl, node), _ask_etcd(talosctl, node)
    )
    return MachineSight(
        plain.name,
        plain.address,
        plain.is_control_plane,
        status=status,
        unhealthy=services,
        etcd=etcd,
    )


def explain_machine(facts: Facts, seen: MachineSight) -> Diagnosis | None:
    """Explain one machine; None when it runs and is ready."""
    scene = _scene_of(facts, seen)
    known = {"address": seen.address, "name": seen.name}
    if seen.failure in _FOREIGN:
        return scene.name_cause("machine-foreign", reason=seen.message, **known)
    if seen.status is None:
        return scene.name_cause("machine-unreachable", reason=seen.message, **known)
    stage = seen.status.stage
    for unmet in seen.status.unmet:
        found = scene.name_cause(
            "machine-unmet", stage=stage, condition=unmet.name, reason=unmet.reason, **known
        )
        others = [f"{other.name}: {other.reason}" for other in seen.status.unmet]
        return found.under(f"machine {seen.name}: {stage}, unmet: {', '.join(others)}")
    if seen.unhealthy:
        found = scene.name_cause("machine-service", service=seen.unhealthy[0], **known)
        return found.under(f"machine {seen.name}: {stage}, services: {', '.join(seen.unhealthy)}")
    if stage != "running":
        return scene.name_cause("machine-under-way", stage=stage, **known)
    return None


def explain_etcd(
    facts: Facts, seen: Sequence[MachineSight], members: Sequence[EtcdMember]
) -> Diagnosis | None:
    """Explain the first declared control plane that is no voting member; by its machine first.

    A learner comes before them all: while there is one, etcd takes no other member.
    """
    listed = {member.hostname: member for member in members}
    names = ", ".join(sorted(listed)) or "none"
    learners = {name for name, member in listed.items() if member.is_learner}
    for machine in sorted(seen, key=lambda machine: machine.name not in learners):
        if not machine.is_control_plane:
            continue
        if machine.name in listed and machine.name not in learners:
            continue
        known = {"address": machine.address, "name": machine.name}
        scene = _scene_of(facts, machine)
        if machine.name in learners:
            return scene.name_cause("etcd-learner", **known).under(f"etcd members: {names}")
        state = f", its service is {machine.etcd.lower()}" if machine.etcd else ""
        found = explain_machine(facts, machine) or scene.name_cause(
            "etcd-member-missing", state=state, **known
        )
        return found.under(f"etcd members: {names}; {machine.name} is missing{state}")
    return None


async def _ask_insecurely(talosctl: Talosctl, node: Node, error: TalosctlError) -> MachineSight:
    """Ask a machine whose certificate is unknown whether it is in maintenance mode."""
    silent = MachineSight(
        node.hostname,
        node.address,
        node.is_control_plane,
        failure=error.failure,
        message=str(error.failure) if error.failure is not Failure.OTHER else error.message,
    )
    if error.failure not in {*_FOREIGN, Failure.CLIENT, Failure.NO_TALOSCONFIG}:
        return silent
    try:
        status = await talosctl.machine_status(node.address, insecure=True)
    except TalosctlError:
        return silent
    return MachineSight(node.hostname, node.address, node.is_control_plane, status=status)


async def _list_unhealthy(talosctl: Talosctl, node: Node) -> tuple[str, ...]:
    try:
        services = await talosctl.services(node.address)
    except TalosctlError:
        return ()
    return tuple(s.name for s in services if s.running and not s.healthy and not s.unknown)


async def _ask_etcd(talosctl: Talosctl, node: Node) -> str:
    if not node.is_control_plane:
        return ""
    try:
        return await talosctl.service_state(node.address, "etcd")
    except TalosctlError:
        return ""


def _scene_of(facts: Facts, seen: MachineSight) -> Scene:
    return Scene(make_sight(()), facts, path=(Key("Node", "", seen.name),))
