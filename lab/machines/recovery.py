"""etcd's data as a file: taken from a member that runs, and begun anew from.

What the database holds is the cluster's Kubernetes and its membership. Texts are machined's
(`internal/app/machined/pkg/system/services/etcd.go`, Talos v1.13) around those of etcdutl.
"""

from __future__ import annotations

from lab.machines.boot import Recovery
from lab.machines.etcd import EtcdCluster, EtcdData, EtcdMember
from lab.machines.machine import Machine
from lab.machines.table import MachineTable
from lab.snapshots import (
    Contents,
    DamagedError,
    Member,
    read_contents,
    read_status,
    take_snapshot,
    verify_checksum,
)

__all__ = ["RecoveryError", "dump_database", "form_cluster", "recover"]


class RecoveryError(Exception):
    """The uploaded snapshot cannot be begun from; the text is what the etcd service says."""


async def dump_database(member: EtcdMember, cluster: EtcdCluster, table: MachineTable) -> bytes:
    """Take a snapshot of a member's database, its checksum behind it."""
    if (taken := await table.etcd.take_snapshot(member.name)) is not None:
        return taken
    members = [
        Member(m.id, m.name, m.peer_url, m.client_url, m.is_learner)
        for m in cluster.members.values()
    ]
    keys = table.plane.dump() if cluster.holds_kubernetes else ()
    return take_snapshot(Contents(keys, members, cluster.revision, cluster.term))


async def recover(machine: Machine, table: MachineTable, how: Recovery) -> EtcdData:
    """Begin a new cluster of one member with the data of the snapshot on the machine's disk.

    Raises:
        RecoveryError: there is none, or it is damaged.
        EtcdHostError: its process does not start.
    """
    snapshot = machine.snapshot
    if snapshot is None:
        raise RecoveryError(
            "error verifying snapshot: stat /var/lib/etcd.snapshot: no such file or directory"
        )
    try:
        status = read_status(snapshot)
        machine.log(f"recovering etcd from snapshot: {status.describe()}")
        contents = read_contents(snapshot)
    except DamagedError as error:
        raise RecoveryError(f"error verifying snapshot: {error}") from error
    try:
        if not how.skips_checksum:
            verify_checksum(snapshot)
    except DamagedError as error:
        raise RecoveryError(f"error recovering from the snapshot: {error}") from error
    data = await form_cluster(machine, table, snapshot)
    machine.clock.ledger.count("etcd.recover")
    machine.snapshot = None
    data.cluster.recovered = contents.keys
    return data


async def form_cluster(
    machine: Machine, table: MachineTable, snapshot: bytes | None = None
) -> EtcdData:
    """Begin a cluster of one member.

    Raises:
        EtcdHostError: its process does not start.
    """
    identity = await table.etcd.form(machine.describe_etcd_seat(), snapshot)
    cluster = table.make_etcd_cluster(machine)
    member = cluster.add(
        machine.hostname, machine.spec.address, is_learner=False, identity=identity
    )
    return EtcdData(cluster, member)
