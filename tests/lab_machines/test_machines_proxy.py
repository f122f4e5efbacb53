"""What a machine passes on to others, and for whom."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.protos import machine_pb2, state_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.machines.protos.state_grpc import StateStub
from tests.lab_machines.lab_machines_world import MakeWorld, World

STATUS = state_pb2.GetRequest(
    namespace="runtime", type="MachineStatuses.runtime.talos.dev", id="machine"
)


async def _make_pair(make_world: MakeWorld) -> World:
    world = make_world(["cp1", "w1", "cp9"])
    await world.machines.start()
    await world.configure("cp1", "w1")
    return world


async def test_one_node_is_passed_through(make_world: MakeWorld) -> None:
    """`node` reaches the other machine and adds nothing to its answer."""
    world = await _make_pair(make_world)
    stub = MachineServiceStub(world.connect("cp1"))

    reply = await stub.Hostname(Empty(), metadata={"node": "10.77.0.12"})

    message = reply.messages[0]
    assert (message.hostname, message.metadata.hostname) == ("w1", "")


async def test_several_nodes_are_tagged(make_world: MakeWorld) -> None:
    """`nodes` asks each one; every answer carries the name that it was asked by."""
    world = await _make_pair(make_world)
    metadata = [("nodes", "10.77.0.11"), ("nodes", "w1")]

    reply = await MachineServiceStub(world.connect("cp1")).Hostname(Empty(), metadata=metadata)

    answers = [(message.metadata.hostname, message.hostname) for message in reply.messages]
    assert answers == [("10.77.0.11", "cp1"), ("w1", "w1")]


async def test_failures_of_several_are_messages(make_world: MakeWorld) -> None:
    """One node's failure is a tagged message among the others; the call itself succeeds."""
    world = await _make_pair(make_world)
    metadata = [("nodes", "10.77.0.11"), ("nodes", "10.77.0.99")]

    reply = await MachineServiceStub(world.connect("cp1")).Hostname(Empty(), metadata=metadata)

    wanted = (
        'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while '
        'dialing: dial tcp 10.77.0.99:50000: i/o timeout"'
    )
    assert [message.metadata.error for message in reply.messages] == ["", wanted]
    assert reply.messages[1].metadata.status.code == Status.UNAVAILABLE.value


async def test_a_machine_of_nobody_is_not_trusted(make_world: MakeWorld) -> None:
    """A machine in maintenance cannot be reached through a cluster's control plane."""
    world = await _make_pair(make_world)
    stub = MachineServiceStub(world.connect("cp1"))

    with pytest.raises(GRPCError) as caught:
        await stub.Version(Empty(), metadata={"node": "10.77.0.13"})

    assert caught.value.status is Status.UNAVAILABLE
    assert "certificate signed by unknown authority" in (caught.value.message or "")


async def test_workers_forward_nothing(make_world: MakeWorld) -> None:
    """A worker answers for itself, under any of its names, and for nobody else."""
    world = await _make_pair(make_world)
    stub = MachineServiceStub(world.connect("w1"))

    own = await stub.Hostname(Empty(), metadata={"nodes": "10.77.0.12"})
    with pytest.raises(GRPCError) as caught:
        await stub.Hostname(Empty(), metadata={"node": "10.77.0.11"})

    assert own.messages[0].hostname == "w1"
    wanted = (Status.PERMISSION_DENIED, "no request forwarding")
    assert (caught.value.status, caught.value.message) == wanted


async def test_state_takes_one_node_only(make_world: MakeWorld) -> None:
    """COSI calls cannot be asked of several nodes at once."""
    world = await _make_pair(make_world)

    with pytest.raises(GRPCError) as caught:
        await StateStub(world.connect("cp1")).Get(STATUS, metadata={"nodes": "w1"})

    wanted = "one-2-many proxying is not supported for method /cosi.resource.State/Get"
    assert caught.value.message == wanted


async def test_a_stream_ends_with_its_node(make_world: MakeWorld) -> None:
    """A watch through another node breaks off when the watched node reboots."""
    world = await _make_pair(make_world)
    request = state_pb2.WatchRequest(namespace=STATUS.namespace, type=STATUS.type, id=STATUS.id)
    watch = StateStub(world.connect("cp1")).Watch

    async def follow() -> None:
        async with watch.open(metadata={"node": "w1"}) as stream:
            await stream.send_message(request, end=True)
            async for _ in stream:
                continue

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.03)
    await MachineServiceStub(world.connect("w1")).Reboot(machine_pb2.RebootRequest())
    with pytest.raises(GRPCError) as caught:
        await following

    wanted = (Status.UNAVAILABLE, "error reading from server: EOF")
    assert (caught.value.status, caught.value.message) == wanted


@pytest.mark.parametrize(
    ("role", "call", "allowed"),
    [
        ("os:reader", "Version", True),
        ("os:reader", "Reboot", False),
        ("os:reader", "ApplyConfiguration", False),
        ("os:operator", "Reboot", True),
        ("os:operator", "Kubeconfig", False),
        ("os:nobody", "Version", False),
        ("os:admin", "Kubeconfig", True),
    ],
)
async def test_roles_are_enforced(
    make_world: MakeWorld, role: str, call: str, *, allowed: bool
) -> None:
    """The organization of the client's certificate decides what it may do."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    requests = {
        "Version": Empty(),
        "Kubeconfig": Empty(),
        "Reboot": machine_pb2.RebootRequest(),
        "ApplyConfiguration": machine_pb2.ApplyConfigurationRequest(
            data=world.cluster.write_config("cp1"), mode="AUTO"
        ),
    }

    try:
        await getattr(MachineServiceStub(world.connect("cp1", role=role)), call)(requests[call])
        refusal = ""
    except GRPCError as error:
        refusal = error.message or ""

    assert refusal == ("" if allowed else "not authorized")


async def test_machine_config_is_for_admins(make_world: MakeWorld) -> None:
    """A reader cannot read the machine config, which holds every secret of the cluster."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    request = state_pb2.GetRequest(
        namespace="config", type="MachineConfigs.config.talos.dev", id="v1alpha1"
    )

    reply = await StateStub(world.connect("cp1")).Get(request)
    with pytest.raises(GRPCError) as caught:
        await StateStub(world.connect("cp1", role="os:reader")).Get(request)

    assert "talos.dev/yaml-spec" in reply.resource.metadata.annotations
    assert caught.value.message == "not authorized"
