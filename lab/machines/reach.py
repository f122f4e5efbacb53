"""What the cluster hears of a machine whose network may be cut off: its node, its etcd member."""

from __future__ import annotations

from lab.machines import durations
from lab.machines.machine import Machine
from lab.machines.table import MachineTable

__all__ = ["tend_reach", "wait_connected"]


async def tend_reach(machine: Machine, table: MachineTable) -> None:
    """Let the cluster hear of the machine, or miss it, as its network is now.

    A node is missed after the grace that kubelets have; an etcd member at once.
    """
    boot, clock = machine.boot, machine.clock
    if machine.etcd is not None:
        machine.etcd.member.is_cut_off = machine.is_cut_off
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


async def wait_connected(machine: Machine) -> None:
    """Wait until the machine's network lets anything through."""
    while machine.is_cut_off:
        await machine.changed.wait(None)
