"""Three machines on a real kube-apiserver and etcd, whose etcd misses and loses members."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import yaml

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.values import name_of
from lab.ledger import Ledger
from lab.machines import Machines
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.network import Lines
from lab.ports import KubernetesPki
from lab.real import Programs, RealBackend, RealEtcd
from lab.tls import load_identity
from tests.lab_kubernetes.lab_kubernetes_cluster import cni, make_pki
from tests.lab_machines.lab_machines_world import Cluster, FakePlane, World, make_specs
from tests.lab_real.pair_admission import settings
from tests.talos_rows.talos_rows_tool import (
    NODES,
    Result,
    Talosctl,
    address_of,
    find_talosctl,
    write_talosconfig,
)

__all__ = ["Tale", "tell"]

_NAMES = ("cp1", "cp2", "cp3")
_ALL = ",".join(f"10.77.0.{number}" for number in (11, 12, 13))
_SPEED = 60.0
# What Talos' guide to disaster recovery asks for of a control plane.
_WIPE = ("--system-labels-to-wipe", "EPHEMERAL", "--graceful=false", "--reboot", "--wait=false")
# Wall seconds; on a busy machine three API servers take more than a minute to start.
_LONGEST_S = 300.0
_ELECTION_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Tale:
    """What was seen: what talosctl said by the name of the moment, and the rest."""

    said: Mapping[str, Result]
    unheard: Sequence[str]  # what an API server says of itself with one and two lines cut, and none
    ready: str  # what the API server that is left says of itself without a quorum
    kept: Mapping[str, bool]  # which ConfigMaps there are at the end
    nodes: Sequence[str]  # that are Ready at the end
    acts: Mapping[str, int]


async def tell(programs: Programs, folder: Path) -> Tale:
    """Bootstrap, save, lose two of three, recover by talosctl's commands alone."""
    async with _run_world(programs, folder) as (world, plane):
        talosctl, said = find_talosctl(folder), {}
        path, one = str(folder / "etcd.snapshot"), ("-n", NODES["cp1"])
        await _configure(world, talosctl)
        said["bootstrap"] = await talosctl.run("bootstrap", *one)
        await _wait_whole(world)
        await plane.client.apply(cni(), manager="test")
        await _wait_ready(world, plane)
        await plane.client.create(settings("before"))
        said["members"] = await talosctl.run("etcd", "members", *one)
        said["saved"] = await talosctl.run("etcd", "snapshot", path, *one)
        await plane.client.create(settings("after"))
        said["leading"] = await talosctl.run("etcd", "status", "-n", _ALL)
        said["forfeited"] = await talosctl.run("etcd", "forfeit-leadership", "-n", _ALL)
        said["led"] = await talosctl.run("etcd", "status", "-n", _ALL)
        unheard = [await _ask_behind_lines(world, *names) for names in (["cp3"], ["cp2", "cp3"])]
        unheard.append(await _ask_behind_lines(world))
        said["lost"] = await _wipe(world, talosctl, *_NAMES[1:])
        said["status"] = await talosctl.run("etcd", "status", *one)
        ready = await _ask_ready(world)
        said["emptied"] = await _wipe(world, talosctl, "cp1")
        said["waiting"] = await talosctl.run("service", "etcd", *one)
        said["recovered"] = await talosctl.run("bootstrap", "--recover-from", path, *one)
        await _wait_whole(world)
        await _wait_ready(world, plane)
        said["members again"] = await talosctl.run("etcd", "members", *one)
        said["status again"] = await talosctl.run("etcd", "status", "-n", _ALL)
        said["health"] = await talosctl.run("health", *one, timeout_s=_LONGEST_S)
        kept = {
            name: await plane.client.find("v1", "ConfigMap", name, "default") is not None
            for name in ("before", "after")
        }
        nodes = [name_of(node) for node in await plane.client.list("v1", "Node")]
        ready_nodes = sorted(name for name in nodes if plane.is_node_ready(name))
        return Tale(said, unheard, ready, kept, ready_nodes, dict(world.ledger.acts))


@asynccontextmanager
async def _run_world(programs: Programs, folder: Path) -> AsyncIterator[tuple[World, Kubernetes]]:
    """Run machines in maintenance, and what their Kubernetes will be kept by."""
    clock = LabClock(Ledger(), speed=_SPEED)
    etcd = RealEtcd(programs, folder / "etcd")
    lines = Lines(clock)
    backend = RealBackend(clock, programs, folder / "api", lines=lines, etcd=etcd)
    plane = Kubernetes(clock, backend=backend)
    machines = Machines(clock, plane, make_specs(_NAMES), etcd=etcd, lines=lines)
    world = World(machines, FakePlane(), Cluster(), clock)
    try:
        await machines.start()
        yield world, plane
    finally:
        for channel in world.channels:
            channel.close()
        await machines.stop()
        await plane.close()
        lines.close()
        await etcd.close()


async def _configure(world: World, talosctl: Talosctl) -> None:
    """Apply machine configs with all that a real API server is made of."""
    key = base64.b64encode(make_pki().ca_key).decode()
    for name in _NAMES:
        document = yaml.safe_load(world.cluster.write_config(name))
        document["cluster"]["serviceAccount"] = {"key": key}
        data = yaml.safe_dump(document).encode()
        request = machine_pb2.ApplyConfigurationRequest(data=data, mode="AUTO")
        await MachineServiceStub(world.connect_insecure(name)).ApplyConfiguration(request)
    for name in _NAMES:
        await world.until(partial(world.is_configured, name), timeout_s=_LONGEST_S)
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))


async def _wipe(world: World, talosctl: Talosctl, *names: str) -> Result:
    """Take members' data away at once, and wait until their machines wait for etcd."""
    machines = [world.machines[name] for name in names]
    before = [machine.boot.id for machine in machines]
    addresses = ",".join(machine.spec.address for machine in machines)
    result = await talosctl.run("reset", *_WIPE, "-n", addresses)
    await world.until(
        lambda: not {machine.boot.id for machine in machines} & {*before}, timeout_s=_LONGEST_S
    )
    for name in names:
        await world.until(partial(world.is_configured, name), timeout_s=_LONGEST_S)
    return result


async def _wait_whole(world: World) -> None:
    """Wait until every machine's member is a voter that runs, and its API server serves."""

    def is_whole() -> bool:
        data = [machine.etcd for machine in world.machines]
        members = [item.member for item in data if item is not None]
        voters = [member for member in members if member.runs and not member.is_learner]
        serving = [machine for machine in world.machines if machine.boot.api_is_usable]
        return len(voters) == len(serving) == len(_NAMES)

    await world.until(is_whole, timeout_s=_LONGEST_S)


async def _wait_ready(world: World, plane: Kubernetes) -> None:
    await world.until(
        lambda: all(plane.is_node_ready(name) for name in _NAMES), timeout_s=_LONGEST_S
    )


async def _ask_behind_lines(world: World, *names: str) -> str:
    """Ask the first API server how it is while nobody hears some machines, until that is told."""
    for name in names:
        world.machines[name].set_fault("partitioned")
    answering = 0 if len(names) > 1 else len(_NAMES) - len(names)
    await world.until(partial(_tells_etcd, world, answering), timeout_s=_LONGEST_S)
    ready = await _ask_ready(world)
    for _ in range(_ELECTION_LOOKS):
        if (ready == "ok") is (answering > 0):
            break
        await asyncio.sleep(1)  # until a leader that is not heard, or has nobody left, is missed
        ready = await _ask_ready(world)
    for name in names:
        world.machines[name].set_fault("partitioned", on=False)
    await _wait_whole(world)
    return ready


def _tells_etcd(world: World, count: int) -> bool:
    """Tell whether etcd answers as many API servers."""
    return count == sum(machine.boot.etcd_answers for machine in world.machines)


async def _ask_ready(world: World) -> str:
    """Ask the API server that is left how it is."""
    authority = world.cluster.kubernetes
    pki = KubernetesPki(authority.crt, authority.key)
    context = ssl.create_default_context(cadata=authority.crt.decode())
    load_identity(context, *issue_certificate(pki, "admin", ("system:masters",)))
    url = f"https://{address_of(world, 'cp1')}:6443"
    async with httpx2.AsyncClient(base_url=url, verify=context, timeout=30) as http:
        return (await http.get("/readyz")).text
