"""What a machine in maintenance answers and refuses."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Stage
from lab.machines.protos import machine_pb2, state_pb2, storage_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.machines.protos.state_grpc import StateStub
from lab.machines.protos.storage_grpc import StorageServiceStub
from tests.lab_machines.lab_machines_world import PORT, MakeWorld


async def test_many_machines_start_together(make_world: MakeWorld) -> None:
    """After `start` every machine of ten listens, in maintenance."""
    world = make_world([f"w{number}" for number in range(10)])

    await world.machines.start()

    states = {(machine.boot.stage, machine.is_reachable) for machine in world.machines}
    assert {(Stage.MAINTENANCE, True)} == states


async def test_a_taken_address_is_named(make_world: MakeWorld) -> None:
    """Where something listens on a machine's address, starting ends with an error that names it."""
    world = make_world(["cp1", "w1"])
    taken = world.machines["w1"].spec.loopback
    server = await asyncio.start_server(lambda *_: None, taken, PORT)

    async with server:
        with pytest.raises(OSError, match=f"{taken}.*in use"):
            await world.machines.start()

    assert not any(machine.is_reachable for machine in world.machines)


async def test_version_names_the_boot_image(make_world: MakeWorld) -> None:
    """Before any config a machine reports the version of the image that it booted."""
    world = make_world(["cp1"])
    await world.machines.start()

    reply = await MachineServiceStub(world.connect_insecure("cp1")).Version(Empty())

    assert reply.messages[0].version.tag == "v1.13.9"


async def test_hardware_is_readable(make_world: MakeWorld) -> None:
    """Disks can be read before a config is sent, so that a machine can be matched to its node."""
    world = make_world(["cp1"])
    await world.machines.start()

    reply = await StorageServiceStub(world.connect_insecure("cp1")).Disks(Empty())

    names = [(disk.device_name, disk.type) for disk in reply.messages[0].disks]
    assert names == [("/dev/sda", storage_pb2.Disk.SSD), ("/dev/sr0", storage_pb2.Disk.CD)]


async def test_machine_status_says_maintenance(make_world: MakeWorld) -> None:
    """The resource that gates look at says maintenance, and ready."""
    world = make_world(["cp1"])
    await world.machines.start()
    request = state_pb2.GetRequest(
        namespace="runtime", type="MachineStatuses.runtime.talos.dev", id="machine"
    )

    reply = await StateStub(world.connect_insecure("cp1")).Get(request)

    wanted = "stage: maintenance\nstatus:\n  ready: true\n  unmetConditions: []\n"
    assert reply.resource.spec.yaml_spec == wanted


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        ("Reboot", Status.PERMISSION_DENIED, "not authorized"),
        ("Reset", Status.PERMISSION_DENIED, "not authorized"),
        ("Bootstrap", Status.PERMISSION_DENIED, "not authorized"),
        ("Kubeconfig", Status.PERMISSION_DENIED, "not authorized"),
        (
            "EtcdMemberList",
            Status.UNIMPLEMENTED,
            "machine type is not set, cannot use member list API",
        ),
    ],
)
async def test_dangerous_calls_are_refused(
    make_world: MakeWorld, call: str, status: Status, message: str
) -> None:
    """Everybody is a reader in maintenance, and control plane calls have no meaning yet."""
    world = make_world(["cp1"])
    await world.machines.start()
    requests = {
        "Reboot": machine_pb2.RebootRequest(),
        "Reset": machine_pb2.ResetRequest(),
        "Bootstrap": machine_pb2.BootstrapRequest(),
        "Kubeconfig": Empty(),
        "EtcdMemberList": machine_pb2.EtcdMemberListRequest(),
    }
    stub = MachineServiceStub(world.connect_insecure("cp1"))

    with pytest.raises(GRPCError) as caught:
        await getattr(stub, call)(requests[call])

    assert (caught.value.status, caught.value.message) == (status, message)


async def test_secure_client_distrusts_maintenance(make_world: MakeWorld) -> None:
    """A client that checks the cluster's CA cannot talk to a machine in maintenance."""
    world = make_world(["cp1"])
    await world.machines.start()

    with pytest.raises(ssl.SSLCertVerificationError):
        await MachineServiceStub(world.connect("cp1")).Version(Empty())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b"a: [", "yaml: "),
        (b"bogus: 1\nversion: v1alpha1\n", "unknown keys found during decoding:\nbogus"),
        (b"version: v1alpha1\n", "2 errors"),
        (b"apiVersion: v1alpha1\nkind: HostnameConfig\n", "doesn't contain v1alpha1 config"),
    ],
)
async def test_bad_config_is_refused(make_world: MakeWorld, config: bytes, message: str) -> None:
    """A config that does not parse or validate is an InvalidArgument with Talos' text."""
    world = make_world(["cp1"])
    await world.machines.start()
    stub = MachineServiceStub(world.connect_insecure("cp1"))

    with pytest.raises(GRPCError) as caught:
        await stub.ApplyConfiguration(
            machine_pb2.ApplyConfigurationRequest(data=config, mode="AUTO")
        )

    assert caught.value.status is Status.INVALID_ARGUMENT
    assert message in (caught.value.message or "")
    assert world.ledger.acts.get("machine.apply/cp1") is None


async def test_selector_without_a_disk_is_refused(make_world: MakeWorld) -> None:
    """A disk selector that matches nothing is refused when the config is sent."""
    world = make_world(["cp1"])
    await world.machines.start()
    config = world.cluster.write_config(
        "cp1", install={"diskSelector": {"serial": "NOPE*"}, "image": "i:v1.13.9"}
    )
    stub = MachineServiceStub(world.connect_insecure("cp1"))

    with pytest.raises(GRPCError) as caught:
        await stub.ApplyConfiguration(
            machine_pb2.ApplyConfigurationRequest(data=config, mode="AUTO")
        )

    wanted = (
        "1 error occurred:\n\t* no disks matched the expression: "
        'glob("NOPE*", disk.serial) && disk.transport != "" && !disk.readonly && !disk.cdrom\n\n'
    )
    assert caught.value.message == wanted


async def test_dry_run_changes_nothing(make_world: MakeWorld) -> None:
    """A dry run says what would happen and leaves the machine in maintenance."""
    world = make_world(["cp1"])
    await world.machines.start()
    request = machine_pb2.ApplyConfigurationRequest(
        data=world.cluster.write_config("cp1"), mode="AUTO", dry_run=True
    )

    reply = await MachineServiceStub(world.connect_insecure("cp1")).ApplyConfiguration(request)

    details = reply.messages[0].mode_details
    assert details.startswith("Dry run summary:\nApplied configuration without a reboot (skipped")
    assert world.machines["cp1"].boot.stage is Stage.MAINTENANCE
