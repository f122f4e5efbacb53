"""What a step of machines sees: declared nodes, and a talosctl that reaches simulated ones."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import yaml

from inventory import Node, Role, TalosConfig
from lab.machines import Stage, pki
from lab.machines.boot import PowerRequest, Verb
from lab.standins.install import install_standins
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.talosctl import Talosctl
from lifecycle.secrets import Redactor
from lifecycle.world import World
from tests.lab_machines.lab_machines_world import Cluster, make_world_of
from tests.lab_machines.lab_machines_world import World as LabMachines

__all__ = ["StepWorld", "make_step_world"]


@dataclass(frozen=True, slots=True)
class _Declared:
    """The parts of a `World` that steps about machines use."""

    talos: TalosConfig
    talosctl: Talosctl

    @property
    def first_control_plane(self) -> Node:
        return self.talos.control_planes[0]

    def was_attempted(self, step: str) -> bool:
        del step
        return False

    def was_given_config(self, node: Node) -> bool:
        del node
        return False


@dataclass(frozen=True, slots=True)
class StepWorld:
    """Simulated machines, and the world that a step is given of them."""

    lab: LabMachines
    world: World

    def cut_power(self, name: str) -> None:
        """Cut a machine's power and give it back: it boots from what its disk holds."""
        self.lab.machines[name].requests.put_nowait(PowerRequest(Verb.REBOOT, is_instant=True))

    def hurry(self, timeout_s: float) -> World:
        """Return the same world with a talosctl that is given less time for an answer."""
        declared = cast("_Declared", self.world)
        talosctl = replace(declared.talosctl, timeout_s=timeout_s)
        return cast("World", replace(declared, talosctl=talosctl))

    def with_talosctl(self, program: str) -> World:
        """Return the same world with another talosctl."""
        declared = cast("_Declared", self.world)
        talosctl = replace(declared.talosctl, program=program)
        return cast("World", replace(declared, talosctl=talosctl))

    async def wipe(self, name: str) -> None:
        """Wipe a machine's disk as `talosctl reset --graceful=false` does; it is bare again."""
        machine = self.lab.machines[name]
        machine.requests.put_nowait(
            PowerRequest(Verb.RESET, wipes=frozenset({"*"}), is_instant=True)
        )
        await self.lab.until(lambda: machine.install is None and machine.config is None)
        await self.lab.until(lambda: machine.boot.stage is Stage.MAINTENANCE)
        await self.lab.until(lambda: machine.is_reachable)


def make_step_world(names: Sequence[str], folder: Path, speed: float) -> StepWorld:
    """Make machines in maintenance mode by name; those beginning with `cp` are control planes."""
    lab = make_world_of(names, speed)
    talosconfig = folder / "talosconfig"
    first = lab.machines[names[0]].spec.loopback
    talosconfig.write_text(_write_talosconfig(lab.cluster, first))
    talosctl = Talosctl(
        _find_talosctl(folder),
        ProcessRunner(Environment.from_variables(os.environ), redactor=Redactor()),
        AddressBook({machine.spec.address: machine.spec.loopback for machine in lab.machines}),
        talosconfig,
    )
    declared = _Declared(_declare(lab), talosctl)
    return StepWorld(lab, cast("World", declared))


def _declare(lab: LabMachines) -> TalosConfig:
    nodes = tuple(
        Node(
            hostname=machine.name,
            address=machine.spec.address,
            addresses=(machine.spec.address,),
            address_expression=machine.spec.address,
            role=Role(machine.spec.role),
            install_disk="/dev/sda",
            disk_selector={},
        )
        for machine in lab.machines
    )
    return TalosConfig(
        path="clusters/main/talos/talconfig.yaml",
        cluster_name="main",
        talos_version="v1.13.9",
        kubernetes_version="v1.36.3",
        endpoint="https://10.77.0.10:6443",
        vip="",
        nodes=nodes,
        pod_nets=(),
        service_nets=(),
        cni_name="none",
        allow_scheduling_on_control_planes=True,
    )


def _find_talosctl(folder: Path) -> str:
    """Find the real talosctl, else make the stand-in."""
    found = shutil.which("talosctl")
    if found is not None:
        return found
    install_standins(folder / "bin", ["talosctl"])
    return str(folder / "bin" / "talosctl")


def _write_talosconfig(cluster: Cluster, endpoint: str) -> str:
    client = pki.mint_client(cluster.talos, "os:admin")
    # Talos' own label, which Go's and our readers must accept.
    key = client.key.replace(b"PRIVATE KEY", b"ED25519 PRIVATE KEY")
    context = {
        "endpoints": [endpoint],
        "ca": base64.b64encode(cluster.talos.crt).decode(),
        "crt": base64.b64encode(client.crt).decode(),
        "key": base64.b64encode(key).decode(),
    }
    return yaml.safe_dump({"context": "lab", "contexts": {"lab": context}})
