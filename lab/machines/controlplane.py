"""What runs on a configured machine: CRI, kubelet, and on control planes etcd and the API server.

etcd starts when somebody asks for a bootstrap or a peer can be joined; the API server's static pod
follows etcd; a kubelet registers its node once any API server of the cluster runs.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import NoReturn

from lab.machines import durations
from lab.machines.draining import tend_cordon
from lab.machines.etcd import UNHEALTHY, EtcdCluster, EtcdData
from lab.machines.faults import Fault
from lab.machines.machine import Machine
from lab.machines.reach import tend_reach
from lab.machines.recovery import RecoveryError, form_cluster, recover
from lab.machines.table import MachineTable
from lab.ports import EtcdHostError, KubernetesPki

__all__ = ["leave_etcd", "prepare_leave", "start_services", "stop", "stop_pods", "tend"]

_log = logging.getLogger(__name__)


async def start_services(machine: Machine, table: MachineTable) -> None:
    """Start every service of the machine's type; returns when all run, etcd included."""
    services = machine.boot.services
    await machine.wait(durations.SERVICES_START_S, "services start")
    if machine.has_fault(Fault.SLOW_BOOTSTRAP):
        await machine.wait(durations.SLOW_BOOTSTRAP_S, "cri start")
    services.start("cri")
    services.start("kubelet")
    if machine.is_control_plane:
        services.start("trustd")
        await _start_etcd(machine, table)


async def tend(machine: Machine, table: MachineTable) -> NoReturn:
    """Keep the API server after etcd, and the node's registration after the API server."""
    while True:
        if machine.is_control_plane:
            if machine.etcd is not None and machine.etcd.member.runs:
                with suppress(EtcdHostError):  # Talos tries until it is
                    await _promote(machine, table, machine.etcd)
            await _tend_apiserver(machine, table)
        await tend_reach(machine, table)
        await _tend_kubelet(machine, table)
        await tend_cordon(machine, table)
        await machine.changed.wait(machine.poll_s())


async def stop_pods(machine: Machine, table: MachineTable) -> None:
    """Stop the kubelet and every pod, the API server's among them."""
    if machine.is_isolated:
        return
    machine.boot.services.stop("kubelet")
    if machine.boot.apiserver_runs:
        machine.boot.apiserver_runs = False
        await table.plane.stop_apiserver(machine.hostname)
    told, machine.boot.node_told = machine.boot.node_told, None
    if name := told.name if told else machine.boot.lost_as:
        machine.boot.lost_as = ""
        await table.plane.stop_kubelet(name)


async def stop(machine: Machine, table: MachineTable) -> None:
    """Stop etcd and what containers need; the member stays listed."""
    if machine.is_isolated:
        return
    machine.boot.services.stop("etcd", "cri", "trustd")
    if machine.etcd is not None:
        machine.etcd.member.is_started = False
    await table.etcd.stop(machine.hostname)


async def prepare_leave(machine: Machine) -> str:
    """Wait until etcd lets the machine's member go; return what still forbids it at the end.

    Talos tries again while the cluster is unhealthy (`LeaveCluster`), and gives up on the rest.
    """
    data, waited_s = machine.etcd, 0.0
    if data is None or not data.is_member or not data.member.is_started:
        return ""
    while True:
        problem = data.cluster.find_removal_problem(data.member.id, data.member.id)
        if not data.answers:
            problem = "etcdserver: no leader"
        if problem != UNHEALTHY or waited_s >= durations.ETCD_LEAVE_PATIENCE_S:
            if not problem:
                return ""
            return f"failed to leave cluster: failed to remove member {data.member.id}: {problem}"
        await machine.clock.pause(durations.ETCD_LEAVE_RETRY_S)
        waited_s += durations.ETCD_LEAVE_RETRY_S


async def leave_etcd(machine: Machine, table: MachineTable) -> None:
    """Take the machine's member off the list and delete its data."""
    data = machine.etcd
    if data is not None and data.is_member:
        if data.member.is_started:
            await table.etcd.remove(data.member.name, data.member.id)
        data.cluster.remove(data.member.id)
        machine.count("etcd.leave")
    machine.etcd = None
    await table.etcd.wipe(machine.hostname)


async def _start_etcd(machine: Machine, table: MachineTable) -> None:
    """Run etcd, however often its process fails to start."""
    while True:
        try:
            return await _run_etcd(machine, table)
        except EtcdHostError as error:
            machine.log(f"service[etcd](Failed): {error}")
            machine.boot.services.set("etcd", "Failed", str(error))
            _log.warning("%s: etcd: %s", machine.name, error)
            await machine.clock.pause(durations.ETCD_JOIN_RETRY_S)


async def _run_etcd(machine: Machine, table: MachineTable) -> None:
    services = machine.boot.services
    services.set("etcd", "Preparing", "Running pre state")
    data = machine.etcd
    joins = data is None
    if data is None:
        data = await _form_or_join(machine, table)
        joins = len(data.cluster.members) > 1
    if not data.is_member:
        services.set("etcd", "Failed", "the member has been permanently removed from the cluster")
        return
    if not joins:
        await machine.wait(durations.ETCD_START_S, "etcd start")
    await table.etcd.start(machine.describe_etcd_seat())
    await _promote(machine, table, data)
    data.member.is_started = True
    data.cluster.cause = machine.cause
    data.cluster.open_since_s = machine.clock.elapsed_s()
    await _begin_kubernetes(machine, table, data.cluster)
    services.set("etcd", "Running", "Started task", health=data.answers)


async def _promote(machine: Machine, table: MachineTable, data: EtcdData) -> None:
    """Make the machine's member a voter, unless a fault keeps it a learner."""
    if not data.member.is_learner or machine.has_fault(Fault.ETCD_LEARNER):
        return
    if (leader := data.cluster.leader) is not None:
        await table.etcd.promote(leader.name, data.member.id)
    data.cluster.promote(data.member)


async def _form_or_join(machine: Machine, table: MachineTable) -> EtcdData:
    since_s = machine.clock.elapsed_s()
    while True:
        if machine.boot.bootstrap_asked and (data := await _form(machine, table)):
            return data
        if (cluster := table.find_etcd_cluster(machine)) and (
            data := await _join(machine, cluster, table, since_s)
        ):
            return data
        await machine.changed.wait(machine.poll_s())


async def _form(machine: Machine, table: MachineTable) -> EtcdData | None:
    """Begin a cluster, empty or from a snapshot; None when the snapshot is no good."""
    if machine.boot.recovery is not None:
        how, machine.boot.recovery = machine.boot.recovery, None
        try:
            machine.etcd = await recover(machine, table, how)
        except RecoveryError as error:
            # The service waits for the next Bootstrap, which stops and loads it anew.
            machine.boot.bootstrap_asked = False
            machine.log(f"service[etcd](Failed): Failed to run pre stage: {error}")
            machine.boot.services.set("etcd", "Failed", f"Failed to run pre stage: {error}")
        return machine.etcd
    data = await form_cluster(machine, table)
    machine.clock.ledger.count("etcd.bootstrap")
    machine.etcd = data
    return data


async def _begin_kubernetes(machine: Machine, table: MachineTable, cluster: EtcdCluster) -> None:
    config = machine.config
    if config is not None and not cluster.holds_kubernetes:
        cluster.holds_kubernetes = True
        pki = KubernetesPki(
            config.kubernetes_ca_crt,
            config.kubernetes_ca_key,
            config.etcd_ca_crt,
            config.etcd_ca_key,
            config.service_account_key,
            config.secretbox_secret,
        )
        if cluster.recovered is None:
            await table.plane.create(pki)
        else:
            keys, cluster.recovered = cluster.recovered, None
            await table.plane.restore(pki, keys)


async def _join(
    machine: Machine, cluster: EtcdCluster, table: MachineTable, since_s: float
) -> EtcdData | None:
    peer = cluster.leader.name if cluster.leader else ""
    # A member of its own name is in the way: Talos removes it before it adds itself.
    for stale in [m for m in cluster.members.values() if m.name == machine.hostname]:
        if not cluster.find_removal_problem(stale.id, 0):
            await table.etcd.remove(peer, stale.id)
            cluster.remove(stale.id)
    if not cluster.takes_members:
        await machine.clock.pause(durations.ETCD_JOIN_RETRY_S)
        return None
    member = cluster.add(machine.hostname, machine.spec.address, is_learner=True)
    try:
        identity = await table.etcd.join(machine.describe_etcd_seat(), peer)
    except EtcdHostError:
        cluster.remove(member.id)
        raise
    cluster.rename(member, identity)
    machine.etcd = EtcdData(cluster, member)
    _follow(machine, cluster, since_s)
    await machine.wait(durations.ETCD_JOIN_S, "etcd join")
    machine.count("etcd.join")
    return machine.etcd


def _follow(machine: Machine, cluster: EtcdCluster, since_s: float) -> None:
    """Let a join follow from what it waited for since then: it finds out late, by trying again."""
    if since_s < cluster.open_since_s:
        late_s = machine.clock.elapsed_s() - cluster.open_since_s
        meant_s = min(late_s, durations.ETCD_JOIN_RETRY_S)
        machine.clock.note_wait(meant_s, f"{machine.name}: etcd join tried again", cluster.cause)
    else:
        machine.clock.ledger.follow(cluster.cause)


async def _tend_apiserver(machine: Machine, table: MachineTable) -> None:
    """Run it once etcd is healthy; it goes on when etcd is not any more: no probe ends it.

    Talos gives its static pod none (`k8s/control_plane_static_pod.go`).
    """
    data, boot = machine.etcd, machine.boot
    is_healthy = data is not None and data.answers
    etcd = machine.boot.services.get("etcd")
    if etcd is not None and etcd.is_running and etcd.health is not is_healthy:
        machine.boot.services.set("etcd", "Running", "Health check", health=is_healthy)
    if is_healthy and not boot.apiserver_runs:
        await machine.wait(durations.STATIC_PODS_S, "static pods start")
        await table.plane.start_apiserver(machine.describe_node())
        boot.apiserver_runs = boot.etcd_answers = True
        machine.changed.ring()
    elif boot.apiserver_runs and boot.etcd_answers is not is_healthy:
        boot.etcd_answers = is_healthy
        await table.plane.set_etcd(machine.hostname, answers=is_healthy)
        machine.changed.ring()


async def _restart_kubelet(machine: Machine) -> None:
    """Run the kubelet that the config names: a changed image restarts it."""
    boot, wanted = machine.boot, machine.config.kubelet_version if machine.config else ""
    if boot.kubelet_version and wanted != boot.kubelet_version:
        boot.services.set("kubelet", "Finished", "Service finished successfully")
        await machine.wait(durations.KUBELET_RESTART_S, "kubelet restart")
        boot.services.start("kubelet")
    boot.kubelet_version = wanted


async def _tend_kubelet(machine: Machine, table: MachineTable) -> None:
    await _restart_kubelet(machine)
    if machine.config is not None and machine.config.skips_node_registration:
        return  # it only runs static pods
    facts = machine.describe_node()
    if not machine.boot.services.is_up("kubelet") or not table.has_apiserver(machine):
        return
    if machine.boot.node_told != facts:
        await table.plane.start_kubelet(facts)
        machine.boot.node_told, machine.boot.lost_as = facts, ""
        if machine.install is not None:
            machine.install.has_joined = True
        machine.changed.ring()
