"""Watching a machine: its event stream and its resources."""

from __future__ import annotations

import asyncio

from google.protobuf.empty_pb2 import Empty

from lab.machines.protos import machine_pb2, state_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.machines.protos.state_grpc import StateStub
from tests.lab_machines.lab_machines_world import MakeWorld, World

STATUSES = "MachineStatuses.runtime.talos.dev"


async def _watch(world: World, request: state_pb2.WatchRequest, count: int) -> list[str]:
    """Read that many responses of a watch: event types, and the stage where there is one."""
    seen: list[str] = []
    async with StateStub(world.connect_insecure("cp1")).Watch.open() as stream:
        await stream.send_message(request, end=True)
        while len(seen) < count:
            response = await stream.recv_message()
            assert response is not None
            seen.append(" ".join(state_pb2.EventType.Name(e.event_type) for e in response.event))
        await stream.cancel()
    return seen


async def test_events_begin_with_an_empty_hello(make_world: MakeWorld) -> None:
    """The first event holds nothing; then come the kept ones that were asked for."""
    world = make_world(["cp1"])
    await world.machines.start()
    stub = MachineServiceStub(world.connect_insecure("cp1"))

    async with stub.Events.open() as stream:
        await stream.send_message(machine_pb2.EventsRequest(tail_events=-1), end=True)
        hello, first = await stream.recv_message(), await stream.recv_message()
        await stream.cancel()

    assert hello is not None
    assert first is not None
    assert (hello.id, hello.HasField("data") and hello.data.type_url) == ("", False)
    assert first.data.type_url == "talos/runtime/machine.ServiceStateEvent"
    assert len(first.id) == 20


async def test_maintenance_is_announced(make_world: MakeWorld) -> None:
    """The machine's stage is on the stream as the enum that clients know."""
    world = make_world(["cp1"])
    await world.machines.start()
    stub = MachineServiceStub(world.connect_insecure("cp1"))
    status = machine_pb2.MachineStatusEvent()

    async with asyncio.timeout(5), stub.Events.open() as stream:
        await stream.send_message(machine_pb2.EventsRequest(tail_events=-1), end=True)
        async for event in stream:
            if event.data.type_url.endswith("machine.MachineStatusEvent"):
                status.ParseFromString(event.data.value)
            if status.stage == machine_pb2.MachineStatusEvent.MAINTENANCE:
                await stream.cancel()
                break

    assert status.status.ready


async def test_watching_one_resource(make_world: MakeWorld) -> None:
    """A watch says that it is ready, then what there is, or that there is nothing."""
    world = make_world(["cp1"])
    await world.machines.start()
    there = state_pb2.WatchRequest(namespace="runtime", type=STATUSES, id="machine")
    missing = state_pb2.WatchRequest(namespace="runtime", type=STATUSES, id="nothing")

    assert await _watch(world, there, 2) == ["", "CREATED"]
    assert await _watch(world, missing, 2) == ["", "DESTROYED"]


async def test_watching_a_kind_with_its_contents(make_world: MakeWorld) -> None:
    """Contents come before the mark that ends them, in one message when aggregated."""
    world = make_world(["cp1"])
    await world.machines.start()
    request = state_pb2.WatchRequest(
        namespace="runtime",
        type=STATUSES,
        api_version=1,
        options=state_pb2.WatchOptions(bootstrap_contents=True, aggregated=True),
    )

    assert await _watch(world, request, 2) == ["", "CREATED BOOTSTRAPPED"]


async def test_versions_grow_with_changes(make_world: MakeWorld) -> None:
    """A resource keeps its version while it stays the same, and counts up when it changes."""
    world = make_world(["cp1"])
    await world.machines.start()
    stub = StateStub(world.connect_insecure("cp1"))
    request = state_pb2.GetRequest(
        namespace="runtime", type="TimeStatuses.v1alpha1.talos.dev", id="node"
    )

    versions = [(await stub.Get(request)).resource.metadata.version for _ in range(2)]
    world.machines["cp1"].set_fault("time-not-synced")
    versions.append((await stub.Get(request)).resource.metadata.version)

    assert versions == ["1", "1", "2"]


async def test_memory_is_the_hardware_s(make_world: MakeWorld) -> None:
    """Memory is told in KiB of what the hardware has."""
    world = make_world(["cp1"])
    await world.machines.start()

    reply = await MachineServiceStub(world.connect_insecure("cp1")).Memory(Empty())

    total = world.machines["cp1"].hardware.memory // 1024
    assert reply.messages[0].meminfo.memtotal == total
