"""The stand-in drives the lab's machines over their own gRPC, from maintenance to etcd."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from lab.clock import LabClock
from lab.ledger import Ledger
from lab.machines import Machines, MachineSpec, derive_hardware
from lab.ports import KubernetesPki, NodeFacts
from lab.snapshots import StoredKey
from tests.lab_machines.lab_machines_world import FakeKeeper
from tests.standins.standins_process import Run, Said

_SPEED = 400.0
# Test processes that run side by side get loopback networks of their own.
_LOOPBACK = f"127.{30 + os.getpid() % 60}.{os.getpid() // 60 % 250}.11"


class FakePlane:
    """Kubernetes as machines see it; nodes are ready at once."""

    def __init__(self) -> None:
        self.nodes: set[str] = set()
        self.keeper = FakeKeeper()

    async def create(self, pki: KubernetesPki) -> None:
        """Take it."""

    async def restore(self, pki: KubernetesPki, keys: Sequence[StoredKey]) -> None:
        """Take it."""

    def dump(self) -> Sequence[StoredKey]:
        """Hand out nothing."""
        return ()

    async def start_apiserver(self, node: NodeFacts) -> None:
        """Take it."""

    async def stop_apiserver(self, name: str) -> None:
        """Take it."""

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Take it."""

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Take it."""

    async def start_kubelet(self, node: NodeFacts) -> None:
        """Remember the node."""
        self.nodes.add(node.name)

    async def stop_kubelet(self, name: str, *, is_lost: bool = False) -> None:
        """Forget the node."""
        del is_lost
        self.nodes.discard(name)

    def list_applied_manifests(self, name: str) -> Sequence[str]:
        """Apply none."""
        del name
        return ()

    def is_node_ready(self, name: str) -> bool:
        """Tell."""
        return name in self.nodes


@pytest.fixture
async def machine() -> AsyncIterator[Ledger]:
    """One control plane in maintenance at `_LOOPBACK`; the ledger counts what happens to it."""
    ledger = Ledger()
    hardware = derive_hardware("cp-1", disk="/dev/sda")
    spec = MachineSpec("cp-1", "controlplane", "10.55.0.11", _LOOPBACK, hardware)
    machines = Machines(LabClock(ledger, speed=_SPEED), FakePlane(), [spec])
    await machines.start()
    yield ledger
    await machines.stop()


@pytest.fixture
def configs(cluster_repository: Path, run: Run) -> Path:
    """The folder of generated configs."""
    run("clustertool", "init", cwd=cluster_repository)
    run("clustertool", "genconfig", cwd=cluster_repository)
    return cluster_repository / "clusters/main/talos/generated"


async def _talosctl(*words: str, home: Path) -> Said:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "lab.standins.talosctl", *words, "-n", _LOOPBACK),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
    )
    out, err = await process.communicate()
    return Said(out.decode(), err.decode(), process.returncode or 0)


async def _wait_for(wanted: str, *words: str, home: Path) -> Said:
    said = await _talosctl(*words, home=home)
    for _ in range(60):
        if wanted in said.stdout:
            return said
        await asyncio.sleep(0.05)
        said = await _talosctl(*words, home=home)
    pytest.fail(f"never said `{wanted}`: {said}")


async def test_a_machine_goes_from_maintenance_to_etcd(
    machine: Ledger, configs: Path, tmp_path: Path
) -> None:
    """Apply, wait, bootstrap once; a second bootstrap is refused and counted as no bootstrap."""
    secure = ("--talosconfig", str(configs / "talosconfig"), "-e", _LOOPBACK)
    stage = ("get", "machinestatus", "-o", "jsonpath={.spec.stage}")
    maintenance = await _talosctl(*stage, "-i", home=tmp_path)
    applied = await _talosctl(
        "apply", "machineconfig", "-i", "-f", str(configs / "main-cp-1.yaml"), home=tmp_path
    )
    await _wait_for("Preparing", "service", "etcd", *secure, home=tmp_path)
    refused = await _talosctl("version", "--short", "-i", home=tmp_path)
    first = await _talosctl("bootstrap", *secure, home=tmp_path)
    members = await _wait_for("cp-1", "etcd", "members", *secure, home=tmp_path)
    second = await _talosctl("bootstrap", *secure, home=tmp_path)
    kubeconfig = await _talosctl("kubeconfig", "-", "--merge=false", *secure, home=tmp_path)

    assert Said("maintenance\n", "", 0) == maintenance
    assert ("", 0) == (applied.stdout, applied.code)
    assert (
        "error getting version: rpc error: code = Unavailable desc = connection error: desc = "
        '"error reading server preface: remote error: tls: certificate required"\n'
    ) == refused.stderr
    assert Said("", "", 0) == first
    assert members.stdout.startswith("NODE ")
    assert "code = AlreadyExists desc = etcd data directory is not empty" in second.stderr
    assert 1 == machine.acts["etcd.bootstrap"]
    assert kubeconfig.stdout.startswith("apiVersion: v1")


async def test_a_machine_of_another_cluster_is_told(
    machine: Ledger, configs: Path, cluster_repository: Path, run: Run, tmp_path: Path
) -> None:
    """The client says unknown authority, with Go's hint, since every Talos CA is called talos."""
    config = configs / "main-cp-1.yaml"
    await _talosctl("apply-config", "-i", "-f", str(config), home=tmp_path)
    secure = ("--talosconfig", str(configs / "talosconfig"), "-e", _LOOPBACK)
    await _wait_for("etcd", "service", *secure, home=tmp_path)
    (configs / "talsecret.yaml").unlink()
    await asyncio.to_thread(run, "clustertool", "genconfig", cwd=cluster_repository)
    said = await _talosctl("version", "--short", *secure, home=tmp_path)

    assert machine.acts
    assert (
        "transport: authentication handshake failed: tls: failed to verify certificate: x509: "
        "certificate signed by unknown authority (possibly because of "
        '\\"x509: Ed25519 verification failure\\" while trying to verify candidate authority '
        'certificate \\"talos\\")"\n'
    ) in said.stderr
