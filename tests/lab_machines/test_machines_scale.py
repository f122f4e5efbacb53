"""Many machines, and time that runs fast: the outcome stays the same."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.empty_pb2 import Empty

from ci.bench_machines import bring_up
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_world import MakeWorld
from tests.talos_rows.talos_rows_tool import NODES, make_cluster, make_standin


async def test_a_thousand_times_as_fast_comes_to_the_same() -> None:
    """A cluster that is brought up at speeds 100 and 1,000 has had the same acts."""
    slow, fast = await bring_up(100.0), await bring_up(1000.0)

    assert slow.acts == fast.acts
    assert fast.acts["etcd.bootstrap"] == 1


async def test_certificates_are_made_when_somebody_connects(make_world: MakeWorld) -> None:
    """Two calls within a boot see the same certificate, which no start had to make."""
    world = make_world(["cp1"])
    await world.machines.start()

    channels = [world.connect_insecure("cp1") for _ in range(2)]
    for channel in channels:
        await MachineServiceStub(channel).Version(Empty())

    leaves = {_read_leaf(channel) for channel in channels}
    assert len(leaves) == 1
    assert b"" not in leaves


async def test_one_call_names_a_thousand_machines(make_world: MakeWorld, tmp_path: Path) -> None:
    """The names of so many nodes take more than one frame of HTTP/2; each gets its answer."""
    world = make_world(["cp1"])
    talosctl = make_standin(tmp_path)
    await make_cluster(world, talosctl, "cp1", bootstraps=False)

    result = await talosctl.run("version", "--short", "-n", ",".join([NODES["cp1"]] * 1000))

    assert (result.code, result.stderr) == (0, "")
    assert 1000 == result.stdout.count("NODE:")


def _read_leaf(channel: object) -> bytes:
    protocol = getattr(channel, "_protocol", None)
    transport = getattr(getattr(protocol, "connection", None), "_transport", None)
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    return bytes(tls.getpeercert(binary_form=True)) if tls is not None else b""
