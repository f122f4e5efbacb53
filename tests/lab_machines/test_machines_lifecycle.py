"""From an applied config to a running cluster, and what a reboot keeps."""

from __future__ import annotations

import asyncio
import io
import ssl
import tarfile

import pytest
import yaml
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Stage
from lab.machines.durations import ETCD_JOIN_RETRY_S
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_world import PORT, MakeWorld, World, make_insecure_context


async def _read_status(world: World, name: str) -> str:
    request = machine_pb2.EtcdMemberListRequest(query_local=True)
    reply = await MachineServiceStub(world.connect(name)).EtcdMemberList(request)
    return ",".join(sorted(member.hostname for member in reply.messages[0].members))


async def test_apply_installs_and_reboots_once(make_world: MakeWorld) -> None:
    """An applied config leads over install and one reboot to a machine that waits for etcd."""
    world = make_world(["cp1"])
    await world.machines.start()
    before = world.machines["cp1"].boot.id

    await world.configure("cp1")

    machine = world.machines["cp1"]
    acts = {act: world.ledger.acts[act] for act in sorted(world.ledger.acts)}
    assert acts == {
        "machine.apply/cp1": 1,
        "machine.install/cp1": 1,
        "machine.reboot/cp1": 1,
        "rpc.ApplyConfiguration/cp1": 1,
    }
    assert machine.boot.id != before
    assert machine.boot.stage is Stage.BOOTING


async def test_waits_are_in_the_ledger(make_world: MakeWorld) -> None:
    """Each wait of the way is named, so that a run can be held against the longest chain."""
    world = make_world(["cp1"])
    await world.machines.start()

    await world.configure("cp1")

    waits = [wait.what for wait in world.ledger.waits]
    assert waits == [
        "cp1: apid restart",
        "cp1: install",
        "cp1: stop services",
        "cp1: reboot",
        "cp1: services start",
    ]


async def test_join_that_was_tried_again_is_in_the_ledger(make_world: MakeWorld) -> None:
    """The third member finds out late that the second is a voter; that is a wait like others."""
    world = make_world(["cp1", "cp2", "cp3"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3")
    await world.bootstrap("cp1")

    joins = {wait.number for wait in world.ledger.waits if wait.what.endswith(": etcd join")}
    again = [wait for wait in world.ledger.waits if wait.what.endswith("tried again")]
    assert again[-1].cause in joins
    assert 0 < again[-1].seconds <= ETCD_JOIN_RETRY_S


async def test_a_cluster_forms_and_joins(make_world: MakeWorld) -> None:
    """One bootstrap, and the other control planes join; Kubernetes is begun exactly once."""
    world = make_world(["cp1", "cp2", "cp3", "w1"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3", "w1")

    await world.bootstrap("cp2")

    assert await _read_status(world, "cp1") == "cp1,cp2,cp3"
    assert world.ledger.acts["etcd.bootstrap"] == 1
    assert world.plane.calls[:2] == ["create", "start_apiserver cp2"]
    assert world.plane.calls.count("create") == 1
    assert sorted(world.plane.nodes) == ["cp1", "cp2", "cp3", "w1"]


async def test_kubernetes_learns_the_node(make_world: MakeWorld) -> None:
    """The facts that the kubelet reports come from the machine config."""
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.configure("cp1", "w1")

    await world.bootstrap()

    control_plane, worker = world.plane.nodes["cp1"], world.plane.nodes["w1"]
    taint = ("node-role.kubernetes.io/control-plane", "", "NoSchedule")
    assert (control_plane.role, control_plane.taints) == ("controlplane", (taint,))
    assert (worker.role, worker.taints) == ("worker", ())
    assert worker.address == "10.77.0.12"
    assert worker.labels == {"lab": "yes"}
    assert worker.kubelet_version == "v1.36.3"
    assert worker.rotates_server_certificates


async def test_second_bootstrap_is_refused(make_world: MakeWorld) -> None:
    """A machine that holds etcd data refuses a bootstrap with AlreadyExists."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    await world.bootstrap()

    with pytest.raises(GRPCError) as caught:
        await MachineServiceStub(world.connect("cp1")).Bootstrap(machine_pb2.BootstrapRequest())

    wanted = (Status.ALREADY_EXISTS, "etcd data directory is not empty")
    assert (caught.value.status, caught.value.message) == wanted
    assert world.ledger.acts["etcd.bootstrap"] == 1


async def test_bootstrap_waits_for_cri(make_world: MakeWorld) -> None:
    """Until CRI is up, and for long under the fault, bootstrap is not available yet."""
    world = make_world(["cp1"], 100.0)
    machine = world.machines["cp1"]
    machine.set_fault("slow-bootstrap")
    await world.machines.start()
    before = machine.boot.id
    await world.apply("cp1")
    await world.until(lambda: machine.boot.id != before)
    # The wait for CRI, which comes next, is to be longer than a call takes.
    world.clock.change_speed(4.0)
    await world.until(lambda: machine.is_reachable)

    with pytest.raises(GRPCError) as caught:
        await MachineServiceStub(world.connect("cp1")).Bootstrap(machine_pb2.BootstrapRequest())

    assert caught.value.message == "bootstrap is not available yet"


async def test_two_bootstraps_make_two_clusters(make_world: MakeWorld) -> None:
    """Nothing stops a bootstrap on a second node: the mistake shows in the ledger."""
    world = make_world(["cp1", "cp2"])
    await world.machines.start()
    await world.configure("cp1", "cp2")

    # Set, not called: at this speed one is a cluster to join before a second call arrives.
    for machine in world.machines:
        machine.boot.bootstrap_asked = True
        machine.changed.ring()

    await world.until(lambda: world.ledger.acts.get("etcd.bootstrap") == 2)


async def test_a_reboot_keeps_the_member(make_world: MakeWorld) -> None:
    """A rebooted control plane has another boot id and is the same etcd member again."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    await world.bootstrap()
    machine = world.machines["cp1"]
    before = (machine.boot.id, machine.etcd and machine.etcd.member.id)

    await MachineServiceStub(world.connect("cp1")).Reboot(machine_pb2.RebootRequest())
    await world.until(lambda: machine.boot.id != before[0] and machine.boot.apiserver_runs)

    assert (machine.etcd and machine.etcd.member.id) == before[1]
    assert world.plane.calls.count("create") == 1
    assert world.plane.calls.count("stop_apiserver cp1") == 1


async def test_quorum_is_lost_with_two_of_three(make_world: MakeWorld) -> None:
    """With two of three control planes off, etcd answers the third's API server no more."""
    world = make_world(["cp1", "cp2", "cp3"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3")
    await world.bootstrap()

    for name in ("cp2", "cp3"):
        stub = MachineServiceStub(world.connect(name))
        await stub.Shutdown(machine_pb2.ShutdownRequest())
    await world.until(lambda: not world.machines["cp1"].boot.api_is_usable)

    with pytest.raises(GRPCError) as caught:
        await _read_status(world, "cp1")
    assert caught.value.message == "etcdserver: no leader"
    assert world.machines["cp1"].boot.apiserver_runs


async def test_reset_goes_back_to_maintenance(make_world: MakeWorld) -> None:
    """A reset that reboots leaves etcd, wipes the disk, and ends in maintenance."""
    world = make_world(["cp1", "cp2", "cp3"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3")
    await world.bootstrap()
    request = machine_pb2.ResetRequest(graceful=True, reboot=True)

    await MachineServiceStub(world.connect("cp3")).Reset(request)
    machine = world.machines["cp3"]
    await world.until(lambda: machine.boot.stage is Stage.MAINTENANCE and machine.is_reachable)

    assert machine.install is None
    assert await _read_status(world, "cp1") == "cp1,cp2"


async def test_kubeconfig_is_a_packed_file(make_world: MakeWorld) -> None:
    """The kubeconfig names the endpoint as it is reached, and an admin of the cluster's own CA."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")

    chunks = await MachineServiceStub(world.connect("cp1")).Kubeconfig(Empty())

    packed = io.BytesIO(b"".join(chunk.bytes for chunk in chunks))
    with tarfile.open(fileobj=packed) as archive:
        document = archive.extractfile("kubeconfig")
        assert document is not None
        kubeconfig = yaml.safe_load(document)
    vip = world.machines["cp1"].spec.vip_loopback
    assert kubeconfig["clusters"][0]["cluster"]["server"] == f"https://{vip}:6443"
    assert kubeconfig["current-context"] == "admin@lab"
    assert world.ledger.acts["kubeconfig.issued"] == 1


async def test_configured_machine_wants_a_certificate(make_world: MakeWorld) -> None:
    """Without a client certificate a configured machine ends the handshake with the TLS alert."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")

    reader, writer = await asyncio.open_connection(
        world.machines["cp1"].spec.loopback, PORT, ssl=make_insecure_context()
    )
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        await reader.read()

    writer.close()


async def test_worker_gets_its_certificate_from_a_control_plane(make_world: MakeWorld) -> None:
    """A worker's secure API stays down until trustd runs somewhere."""
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.apply("w1")
    worker = world.machines["w1"]
    await world.until(lambda: worker.boot.stage is Stage.RUNNING)
    was_reachable = worker.is_reachable

    await world.configure("cp1")
    await world.until(lambda: worker.is_reachable)

    assert not was_reachable


async def test_an_upgrade_and_its_fallback(make_world: MakeWorld) -> None:
    """A written slot boots next; under the fault the old one comes back, silently."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    machine = world.machines["cp1"]
    machine.set_fault("old-version")
    before = machine.boot.id
    request = machine_pb2.UpgradeRequest(image="ghcr.io/siderolabs/installer:v1.13.10")

    await MachineServiceStub(world.connect("cp1")).Upgrade(request)
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)
    fallen_back = machine.boot.version
    machine.set_fault("old-version", on=False)
    before = machine.boot.id
    await MachineServiceStub(world.connect("cp1")).Upgrade(request)
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    assert (fallen_back, machine.boot.version) == ("v1.13.9", "v1.13.10")
