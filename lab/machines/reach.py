"""What the cluster hears of a machine whose network may be cut off: node, etcd member, VIP."""

from __future__ import annotations

from lab.machines import durations
from lab.machines.etcd import EtcdData
from lab.machines.machine import Machine
from lab.machines.table import MachineTable

__all__ = ["tend_reach", "wait_connected"]


async def tend_reach(machine: Machine, table: MachineTable) -> None:
    """Let the cluster hear of the machine, or miss it, as its network is now.

    A node is missed after the grace that kubelets have; an etcd member at once; the VIP leaves
    who holds it when its session in etcd is over.
    """
    boot, clock = machine.boot, machine.clock
    if machine.etcd is not None:
        machine.etcd.member.is_cut_off = machine.is_cut_off
        is_heard = machine.etcd.is_alone or not machine.is_cut_off
        table.etcd.hear(machine.hostname, is_heard=is_heard)
        await _tend_vip(machine, machine.etcd, table)
    if boot.node_told is None:
        return
    if not table.is_missed(machine):
        boot.unheard_since_s = None
    elif boot.unheard_since_s is None:
        boot.unheard_since_s = clock.elapsed_s()
    elif clock.elapsed_s() - boot.unheard_since_s >= durations.NODE_GRACE_S:
        boot.unheard_since_s = None
        boot.lost_as, boot.node_told = boot.node_told.name, None  # told again once it is heard
        await table.plane.stop_kubelet(boot.lost_as, is_lost=True)


async def _tend_vip(machine: Machine, data: EtcdData, table: MachineTable) -> None:
    """Let a control plane campaign for the VIP while etcd hears it."""
    boot = machine.boot
    if not boot.apiserver_runs:
        boot.sessionless_since_s, boot.lost_vip = None, False  # its VIP has gone with that
        return
    if data.is_alone or data.answers:
        boot.sessionless_since_s = None
        if boot.lost_vip:
            boot.lost_vip = False
            await table.plane.offer_vip(machine.hostname, can_hold=True)
    elif boot.sessionless_since_s is None:
        boot.sessionless_since_s = machine.clock.elapsed_s()
    elif not boot.lost_vip:
        since_s = machine.clock.elapsed_s() - boot.sessionless_since_s
        if since_s >= durations.VIP_SESSION_S:
            boot.lost_vip = True
            await table.plane.offer_vip(machine.hostname, can_hold=False)


async def wait_connected(machine: Machine) -> None:
    """Wait until the machine's network lets anything through."""
    while machine.is_cut_off:
        await machine.changed.wait(None)
