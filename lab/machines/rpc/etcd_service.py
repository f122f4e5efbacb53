"""`machine.MachineService`: everything about etcd."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import durations
from lab.machines.boot import Recovery
from lab.machines.controlplane import leave_etcd, prepare_leave
from lab.machines.etcd import EtcdData
from lab.machines.faults import Fault
from lab.machines.protos import common_pb2, machine_pb2
from lab.machines.recovery import dump_database
from lab.machines.rpc.route import (
    ADMINS,
    BACKUPS,
    ETCD_READERS,
    OPERATORS,
    Call,
    Route,
    require_control_plane,
    stream,
    unary,
    upload,
)
from lab.ports import EtcdHostError, EtcdState

__all__ = ["ROUTES"]

_CHUNK = 32 * 1024  # bytes; etcd's own snapshot messages
_REFUSED = "failed to create etcd client: error building etcd client: context deadline exceeded"


async def _bootstrap(
    call: Call, request: machine_pb2.BootstrapRequest
) -> machine_pb2.BootstrapResponse:
    machine = call.machine
    if not machine.boot.services.is_up("cri"):
        raise GRPCError(Status.FAILED_PRECONDITION, "bootstrap is not available yet")
    require_control_plane(call, "bootstrap")
    if machine.config is None or not machine.config.etcd_ca_crt:
        raise GRPCError(
            Status.INVALID_ARGUMENT, "etcd is not configured, bootstrap is not possible"
        )
    if machine.has_fault(Fault.TIME_NOT_SYNCED):
        await machine.clock.pause(durations.BOOTSTRAP_TIME_SYNC_S)
        raise GRPCError(Status.FAILED_PRECONDITION, "time is not in sync yet")
    if machine.etcd is not None:
        raise GRPCError(Status.ALREADY_EXISTS, "etcd data directory is not empty")
    if request.recover_etcd:
        machine.boot.recovery = Recovery(skips_checksum=request.recover_skip_hash_check)
    machine.boot.services.set("etcd", "Preparing", "Running pre state")
    machine.boot.bootstrap_asked = True
    machine.changed.ring()
    return machine_pb2.BootstrapResponse(messages=[machine_pb2.Bootstrap()])


async def _list_members(
    call: Call, _: machine_pb2.EtcdMemberListRequest
) -> machine_pb2.EtcdMemberListResponse:
    data = _require_etcd(call, "member list", needs_quorum=True)
    members = [
        machine_pb2.EtcdMember(
            id=member.id,
            hostname=member.name,
            peer_urls=[member.peer_url],
            client_urls=[member.client_url],
            is_learner=member.is_learner,
        )
        for member in data.cluster.members.values()
    ]
    names = [member.name for member in data.cluster.members.values()]
    message = machine_pb2.EtcdMembers(legacy_members=names, members=members)
    return machine_pb2.EtcdMemberListResponse(messages=[message])


async def _status(call: Call, _: Empty) -> machine_pb2.EtcdStatusResponse:
    data = _require_etcd(call, "etcd status")
    cluster, leader = data.cluster, data.cluster.leader
    state = await call.table.etcd.describe(data.member.name) or EtcdState(
        version="3.6.5",
        db_size=cluster.db_size,
        db_size_in_use=cluster.db_size // 2,
        leader=leader.id if leader else 0,
        raft_index=cluster.revision,
        raft_term=cluster.term,
    )
    status = machine_pb2.EtcdMemberStatus(
        protocol_version=state.version,
        storage_version="3.6.0",
        db_size=state.db_size,
        db_size_in_use=state.db_size_in_use,
        leader=state.leader,
        raft_index=state.raft_index,
        raft_term=state.raft_term,
        raft_applied_index=state.raft_index,
        errors=[] if state.leader else ["etcdserver: no leader"],
        is_learner=data.member.is_learner,
        member_id=data.member.id,
    )
    return machine_pb2.EtcdStatusResponse(messages=[machine_pb2.EtcdStatus(member_status=status)])


async def _remove_member(
    call: Call, request: machine_pb2.EtcdRemoveMemberByIDRequest
) -> machine_pb2.EtcdRemoveMemberByIDResponse:
    data = _require_etcd(call, "etcd remove member", needs_quorum=True)
    prefix = f"failed to remove member {request.member_id}"
    if request.member_id not in data.cluster.members:
        raise GRPCError(Status.NOT_FOUND, f"{prefix}: etcdserver: member not found")
    problem = data.cluster.find_removal_problem(request.member_id, data.member.id)
    if problem:
        # An error of etcd's client has no code of gRPC's: it arrives as Unknown.
        raise GRPCError(Status.UNKNOWN, f"failed to remove member: {prefix}: {problem}")
    try:
        await call.table.etcd.remove(data.member.name, request.member_id)
    except EtcdHostError as error:
        raise GRPCError(Status.UNKNOWN, f"failed to remove member: {prefix}: {error}") from error
    data.cluster.remove(request.member_id)
    call.machine.changed.ring()
    return machine_pb2.EtcdRemoveMemberByIDResponse(messages=[machine_pb2.EtcdRemoveMemberByID()])


async def _leave(
    call: Call, _: machine_pb2.EtcdLeaveClusterRequest
) -> machine_pb2.EtcdLeaveClusterResponse:
    _require_etcd(call, "etcd leave")
    problem = await prepare_leave(call.machine)
    if problem:
        raise GRPCError(Status.UNKNOWN, problem)
    await leave_etcd(call.machine, call.table)
    call.machine.boot.services.set("etcd", "Finished", "Service finished successfully")
    return machine_pb2.EtcdLeaveClusterResponse(messages=[machine_pb2.EtcdLeaveCluster()])


async def _forfeit(
    call: Call, _: machine_pb2.EtcdForfeitLeadershipRequest
) -> machine_pb2.EtcdForfeitLeadershipResponse:
    data = _require_etcd(call, "etcd forfeit leadership", needs_quorum=True)
    if data.is_alone:
        raise GRPCError(
            Status.UNKNOWN,
            "failed to forfeit leadership: cannot forfeit leadership, only one member",
        )
    cluster, member, host = data.cluster, data.member, call.table.etcd
    message = machine_pb2.EtcdForfeitLeadership()
    try:
        state = await host.describe(member.name)
        if state.leader == member.id if state else cluster.leader is member:
            heir = next(other for other in cluster.members.values() if other is not member)
            await host.forfeit(member.name, heir.id)
            cluster.forfeit(member)
            message.member = heir.name
    except EtcdHostError as error:
        raise GRPCError(Status.UNKNOWN, f"failed to forfeit leadership: {error}") from error
    return machine_pb2.EtcdForfeitLeadershipResponse(messages=[message])


async def _list_alarms(call: Call, _: Empty) -> machine_pb2.EtcdAlarmListResponse:
    _require_etcd(call, "etcd alarm list")
    return machine_pb2.EtcdAlarmListResponse(messages=[machine_pb2.EtcdAlarm()])


async def _disarm_alarms(call: Call, _: Empty) -> machine_pb2.EtcdAlarmDisarmResponse:
    _require_etcd(call, "etcd alarm disarm")
    return machine_pb2.EtcdAlarmDisarmResponse(messages=[machine_pb2.EtcdAlarmDisarm()])


async def _defragment(call: Call, _: Empty) -> machine_pb2.EtcdDefragmentResponse:
    _require_etcd(call, "etcd defragment")
    return machine_pb2.EtcdDefragmentResponse(messages=[machine_pb2.EtcdDefragment()])


async def _snapshot(
    call: Call, _: machine_pb2.EtcdSnapshotRequest
) -> AsyncIterator[common_pb2.Data]:
    # Of the member's own database: no quorum is asked.
    data = _require_etcd(call, "etcd snapshot")
    database = await dump_database(data.member, data.cluster, call.table)
    call.machine.count("etcd.snapshot")
    for start in range(0, len(database), _CHUNK):
        yield common_pb2.Data(bytes=database[start : start + _CHUNK])


async def _recover(
    call: Call, pieces: Sequence[common_pb2.Data]
) -> machine_pb2.EtcdRecoverResponse:
    # machined asks for /var/lib, which is there with the EPHEMERAL volume, as CRI is.
    if not call.machine.boot.services.is_up("cri"):
        raise GRPCError(Status.FAILED_PRECONDITION, "etcd service is not ready for recovery yet")
    require_control_plane(call, "etcd recover")
    call.machine.snapshot = b"".join(piece.bytes for piece in pieces)
    return machine_pb2.EtcdRecoverResponse(messages=[machine_pb2.EtcdRecover()])


def _require_etcd(call: Call, api: str, *, needs_quorum: bool = False) -> EtcdData:
    require_control_plane(call, api)
    data = call.machine.etcd
    if data is None or not data.member.is_started:
        raise GRPCError(Status.UNKNOWN, _REFUSED)
    if needs_quorum and not data.answers:
        raise GRPCError(Status.UNKNOWN, "etcdserver: no leader")
    return data


_M = "/machine.MachineService/"
_m = machine_pb2

ROUTES: tuple[Route, ...] = (
    unary(
        _M + "Bootstrap",
        ADMINS,
        (_m.BootstrapRequest, _m.BootstrapResponse),
        _bootstrap,
        mutates=True,
    ),
    unary(
        _M + "EtcdMemberList",
        ETCD_READERS,
        (_m.EtcdMemberListRequest, _m.EtcdMemberListResponse),
        _list_members,
    ),
    unary(_M + "EtcdStatus", ETCD_READERS, (Empty, _m.EtcdStatusResponse), _status),
    unary(
        _M + "EtcdRemoveMemberByID",
        ADMINS,
        (_m.EtcdRemoveMemberByIDRequest, _m.EtcdRemoveMemberByIDResponse),
        _remove_member,
        mutates=True,
    ),
    unary(
        _M + "EtcdLeaveCluster",
        ADMINS,
        (_m.EtcdLeaveClusterRequest, _m.EtcdLeaveClusterResponse),
        _leave,
        mutates=True,
    ),
    unary(
        _M + "EtcdForfeitLeadership",
        ADMINS,
        (_m.EtcdForfeitLeadershipRequest, _m.EtcdForfeitLeadershipResponse),
        _forfeit,
        mutates=True,
    ),
    unary(_M + "EtcdAlarmList", ETCD_READERS, (Empty, _m.EtcdAlarmListResponse), _list_alarms),
    unary(
        _M + "EtcdAlarmDisarm",
        OPERATORS,
        (Empty, _m.EtcdAlarmDisarmResponse),
        _disarm_alarms,
        mutates=True,
    ),
    unary(
        _M + "EtcdDefragment",
        OPERATORS,
        (Empty, _m.EtcdDefragmentResponse),
        _defragment,
        mutates=True,
    ),
    stream(_M + "EtcdSnapshot", BACKUPS, (_m.EtcdSnapshotRequest, common_pb2.Data), _snapshot),
    upload(_M + "EtcdRecover", ADMINS, (common_pb2.Data, _m.EtcdRecoverResponse), _recover),
)
