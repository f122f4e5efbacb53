"""The machines judged by talosctl: the real one when it is on PATH, else the lab's stand-in."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.machines import Stage, pki
from lab.standins.install import install_standins, is_standin
from tests.lab_machines.lab_machines_world import SPEED, Cluster, MakeWorld, World

pytestmark = pytest.mark.tools

MS = "10.77.0."
# The tracker looks for events again 500 ms after a reboot began and asks for no earlier ones: a
# machine that is back by then is waited for in vain. At this speed a reboot takes two seconds.
TRACKED_SPEED = 40.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Talosctl:
    """talosctl with a home and a talosconfig of its own."""

    program: Path
    home: Path
    is_real: bool

    async def run(self, *arguments: str) -> Result:
        """Run it to its end, at most 60 s."""
        environment = {"HOME": str(self.home), "TALOSCONFIG": str(self.home / "talosconfig")}
        process = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Result(process.returncode or 0, out.decode(), err.decode())

    def write_config(self, name: str, data: bytes) -> str:
        """Write a machine config and return its path."""
        path = self.home / f"{name}.yaml"
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def talosctl(tmp_path: Path) -> Talosctl:
    """Find the real talosctl, else make the stand-in."""
    found = shutil.which("talosctl")
    if found is not None and not is_standin(Path(found)):
        return Talosctl(Path(found), tmp_path, is_real=True)
    install_standins(tmp_path / "bin", ["talosctl"])
    launcher = tmp_path / "bin" / "talosctl"
    if not launcher.exists():
        pytest.skip("no talosctl on PATH, and no stand-in")
    return Talosctl(launcher, tmp_path, is_real=False)


def _write_talosconfig(talosctl: Talosctl, cluster: Cluster, endpoint: str) -> None:
    client = pki.mint_client(cluster.talos, "os:admin")
    # Talos' own label, which Go's and our readers must accept.
    key = client.key.replace(b"PRIVATE KEY", b"ED25519 PRIVATE KEY")
    context = {
        "endpoints": [endpoint],
        "nodes": [endpoint],
        "ca": base64.b64encode(cluster.talos.crt).decode(),
        "crt": base64.b64encode(client.crt).decode(),
        "key": base64.b64encode(key).decode(),
    }
    document = {"context": "lab", "contexts": {"lab": context}}
    (talosctl.home / "talosconfig").write_text(yaml.safe_dump(document))


async def _make_cluster(
    make_world: MakeWorld,
    talosctl: Talosctl,
    names: Sequence[str],
    speed: float = SPEED,
) -> World:
    """Bring machines up through talosctl alone, up to the point before bootstrap."""
    world = make_world(names, speed)
    await world.machines.start()
    _write_talosconfig(talosctl, world.cluster, world.machines["cp1"].spec.loopback)
    for name in names:
        path = talosctl.write_config(name, world.cluster.write_config(name))
        node = world.machines[name].spec.loopback
        result = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", path)
        assert (result.code, result.stdout) == (0, ""), result.stderr
    for name in names:
        await world.wait_configured(name)
    return world


async def test_maintenance_commands(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Version, resources and hardware are readable with `--insecure`."""
    world = make_world(["cp1"])
    await world.machines.start()
    node = world.machines["cp1"].spec.loopback

    version = await talosctl.run("version", "--insecure", "-n", node)
    status = await talosctl.run("get", "machinestatus", "--insecure", "-n", node, "-o", "json")
    disks = await talosctl.run("get", "disks", "--insecure", "-n", node)

    assert "Tag:         v1.13.9" in version.stdout, version.stderr
    assert json.loads(status.stdout)["spec"]["stage"] == "maintenance", status.stderr
    assert [line.split()[2] for line in disks.stdout.splitlines()[1:]] == ["sda", "sr0"]


async def test_apply_tells_by_stderr(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Applying prints its mode to stderr; a wrong config is refused with the server's text."""
    world = make_world(["cp1"])
    await world.machines.start()
    node = world.machines["cp1"].spec.loopback
    install = {"diskSelector": {"serial": "NOPE"}, "image": "i:v1.13.9"}
    wrong = talosctl.write_config("wrong", world.cluster.write_config("cp1", install=install))
    right = talosctl.write_config("right", world.cluster.write_config("cp1"))

    refused = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", wrong)
    applied = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", right)

    assert refused.code == 1
    assert "no disks matched the expression" in refused.stderr
    assert (applied.code, applied.stdout) == (0, "")
    assert "Applied configuration without a reboot" in applied.stderr


async def test_a_cluster_by_talosctl_alone(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Apply, bootstrap once, members, health, kubeconfig: the commands of a bootstrap."""
    world = await _make_cluster(make_world, talosctl, ["cp1", "cp2", "w1"])

    before = await talosctl.run("etcd", "members", "-n", f"{MS}11")
    first = await talosctl.run("bootstrap", "-n", f"{MS}11")
    await world.wait_ready()
    second = await talosctl.run("bootstrap", "-n", f"{MS}11")
    members = await talosctl.run("etcd", "members", "-n", f"{MS}11")
    health = await talosctl.run("health", "-n", f"{MS}11", "--wait-timeout", "30s")
    path = talosctl.home / "kubeconfig"
    kubeconfig = await talosctl.run("kubeconfig", "--merge=false", "-n", f"{MS}11", str(path))

    assert before.code == 1
    assert first.code == 0, first.stderr
    assert (second.code, world.ledger.acts["etcd.bootstrap"]) == (1, 1)
    assert "code = AlreadyExists desc = etcd data directory is not empty" in second.stderr
    hosts = sorted(line.split()[2] for line in members.stdout.splitlines()[1:])
    assert hosts == ["cp1", "cp2"], members.stderr
    assert health.code == 0, health.stderr
    assert "waiting for all k8s nodes to report ready: OK" in health.stderr
    assert kubeconfig.code == 0, kubeconfig.stderr
    assert yaml.safe_load(path.read_text())["clusters"][0]["name"] == "lab"


async def test_modes_can_be_told_apart(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Maintenance, ours, and another cluster's machine fail in ways of their own."""
    world = await _make_cluster(make_world, talosctl, ["cp1"])
    foreign = make_world(["cp1"]).cluster
    ours = await talosctl.run("version", "--insecure", "-n", world.machines["cp1"].spec.loopback)
    _write_talosconfig(talosctl, foreign, world.machines["cp1"].spec.loopback)

    theirs = await talosctl.run("version")

    assert ours.code == 1
    assert "tls: certificate required" in ours.stderr
    assert theirs.code == 1
    assert "x509: certificate signed by unknown authority" in theirs.stderr


async def test_bootstrap_is_for_control_planes(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A worker refuses through the control plane that passes the call on."""
    await _make_cluster(make_world, talosctl, ["cp1", "w1"])

    result = await talosctl.run("bootstrap", "-n", f"{MS}12")

    assert result.code == 1
    assert "bootstrap is only available on control plane nodes" in result.stderr


async def test_reboot_is_followed_to_its_end(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The tracker of `reboot --wait` sees the machine go, come back with another boot id."""
    world = await _make_cluster(make_world, talosctl, ["cp1"], TRACKED_SPEED)
    await talosctl.run("bootstrap", "-n", f"{MS}11")
    await world.wait_ready()
    machine = world.machines["cp1"]
    before = machine.boot.id

    result = await talosctl.run(
        "reboot", "-n", machine.spec.loopback, "--drain=false", "--timeout", "40s"
    )

    assert result.code == 0, result.stderr
    assert machine.boot.id != before
    assert machine.boot.stage is Stage.RUNNING


async def test_reset_leads_back_to_maintenance(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The tracker of `reset --reboot` waits until the maintenance API answers."""
    world = await _make_cluster(make_world, talosctl, ["cp1", "w1"], TRACKED_SPEED)
    node = world.machines["w1"].spec.loopback

    result = await talosctl.run(
        "reset", "-n", node, "--graceful=false", "--reboot", "--timeout", "40s"
    )

    assert result.code == 0, result.stderr
    await world.until(lambda: world.machines["w1"].boot.stage is Stage.MAINTENANCE)
