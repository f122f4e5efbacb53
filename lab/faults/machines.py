"""Faults of single machines: their power, disks, clocks and services, and their network."""

from __future__ import annotations

from lab.faults.answers import by_diagnosis, by_gate, by_step
from lab.faults.values import Answer, Hands, RunningFault, Strike, Target
from lab.machines.faults import Fault
from lab.network import LineFault

__all__ = ["MACHINE_FAULTS"]

_TALOS = "https://github.com/siderolabs/talos/issues/"


def _of_machine(fault: Fault | LineFault) -> Strike:
    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.machines[target].set_fault(fault, on=on)

    return strike


def _machine(
    fault: Fault | LineFault,
    does: str,
    origin: str,
    *answers: Answer,
    target: Target = Target.WORKER,
    leaves_data: bool = False,
    fewest_planes: int = 1,
) -> RunningFault:
    return RunningFault(
        fault.value,
        target,
        does,
        origin,
        _of_machine(fault),
        answers,
        leaves_data=leaves_data,
        fewest_planes=fewest_planes,
    )


MACHINE_FAULTS = (
    _machine(
        Fault.UNREACHABLE,
        "Nothing listens: connection refused.",
        f"{_TALOS}8955",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.SILENT,
        "The connection is accepted and nothing ever answers: a handshake that times out.",
        f"{_TALOS}11830",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.FOREIGN_CLUSTER,
        "It runs as a member of another cluster, under that cluster's CA.",
        "https://github.com/freed-dev-llc/turing-rk1-cluster/issues/39",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.TWO_DISKS,
        "A second disk like the first: a selector by size, model or type matches both.",
        f"{_TALOS}12370",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.NO_DISK,
        "Only the boot medium is there: no disk selector matches.",
        f"{_TALOS}14228",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.DISK_WITH_DATA,
        "The disk to install to holds somebody's partitions.",
        f"{_TALOS}9647",
        by_gate("machine-is-known"),
    ),
    _machine(
        Fault.TIME_NOT_SYNCED,
        "The clock has no server to follow.",
        "https://www.talos.dev/latest/talos-guides/configuration/time-sync/",
        by_gate("clocks-agree"),
    ),
    _machine(
        Fault.CLOCK_AHEAD,
        "The clock is a day ahead, and so is the certificate of maintenance mode.",
        "https://www.talos.dev/latest/talos-guides/configuration/time-sync/",
        by_gate("clocks-agree"),
    ),
    _machine(
        Fault.SLOW_INSTALL,
        "Pulling the installer takes ten times as long; a run waits, since it sees it go on.",
        f"{_TALOS}11219",
    ),
    _machine(
        Fault.INSTALL_FAILS,
        "The installer fails: back to maintenance; an upgrade ends with exit code 1.",
        f"{_TALOS}7986",
        by_step("apply-machine-config"),
    ),
    _machine(
        Fault.SLOW_BOOTSTRAP,
        "`bootstrap is not available yet` for two minutes after boot; a run tries again.",
        f"{_TALOS}12533",
        target=Target.CONTROL_PLANE,
    ),
    _machine(
        Fault.OLD_VERSION,
        "A reboot into another version falls back to the old one, silently."
        " Upgrades are to answer it; a bootstrap does not meet it.",
        f"{_TALOS}10364",
    ),
    _machine(
        Fault.LOST_STATE,
        "A reboot finds no machine config and ends in maintenance, with a disk that holds data:"
        " the next run asks for consent before it installs again.",
        "https://github.com/onedr0p/cluster-template/pull/1438",
        by_step("apply-machine-config"),
        leaves_data=True,
    ),
    _machine(
        Fault.ETCD_LEARNER,
        "The member joins and is never promoted; it takes two control planes.",
        f"{_TALOS}7903",
        by_gate("etcd-is-healthy"),
        by_diagnosis("etcd-learner"),
        target=Target.CONTROL_PLANE,
        fewest_planes=2,
    ),
    _machine(
        LineFault.PARTITIONED,
        "Nothing reaches the machine and nothing comes back, of the Talos API and the Kubernetes"
        " API alike: no answer, no refusal. Connections hang, and go on when it ends; the cluster"
        " misses its node after 50 s, which the diagnosis `kubelet-silent` names, and its etcd"
        " member at once.",
        f"{_TALOS}10697",
        by_gate("machine-is-known"),
    ),
    _machine(
        LineFault.SLOWED,
        "Everything to and from the machine is late by 0.6 s each way, at 16 kB a second for"
        " each connection; a run takes longer and ends well.",
        f"{_TALOS}3352",
    ),
    _machine(
        LineFault.CUT,
        "Connections to the machine break, and new ones are refused, of the Talos API and the"
        " Kubernetes API alike; the cluster misses it as under `partitioned`.",
        "https://github.com/siderolabs/talos/pull/5146",
        by_gate("machine-is-known"),
    ),
    _machine(
        LineFault.FLAPPING,
        "The machine's link is down for 6 of every 18 seconds; connections hang meanwhile, and"
        " a run tries again.",
        "https://github.com/opnsense/core/issues/7133",
    ),
)
