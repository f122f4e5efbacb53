"""The doors to talosctl and Kubernetes against the lab, with the real talosctl."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes as LabKubernetes
from lab.ledger import Ledger
from lab.machines import Machines, MachineSpec, derive_hardware
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.kubernetes import Kubernetes, ObjectRef, Selection, parse_kubeconfig
from lifecycle.drivers.process import ProcessRunner
from lifecycle.drivers.talosctl import Failure, Talosctl, TalosctlError
from lifecycle.errors import ApiError

pytestmark = pytest.mark.tools

NODE = "10.41.0.11"
VIP = "10.41.0.5"
# Another network for each process, so that two test runs do not meet.
LOOPBACK = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.11"
VIP_LOOPBACK = LOOPBACK.removesuffix("11") + "5"


@pytest.fixture
def configs(real_tool: Callable[[str], str], tmp_path: Path) -> Path:
    """A folder with a control plane's machine config and a talosconfig, made by talosctl."""
    argv = [real_tool("talosctl"), "gen", "config", "home", f"https://{VIP}:6443"]
    argv += ["--output", str(tmp_path), "--additional-sans", f"{NODE},{LOOPBACK}"]
    subprocess.run(argv, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
async def lab() -> AsyncIterator[Machines]:
    """One machine in maintenance mode, and the Kubernetes that it will carry."""
    clock = LabClock(Ledger(), speed=200)
    plane = LabKubernetes(clock)
    spec = MachineSpec(
        "cp-1", "controlplane", NODE, LOOPBACK, derive_hardware("cp-1"), VIP, VIP_LOOPBACK
    )
    machines = Machines(clock, plane, [spec])
    await machines.start()
    yield machines
    await machines.stop()
    await plane.close()


async def failure_of(call: Awaitable[object]) -> Failure:
    """Return why a call fails."""
    with pytest.raises(TalosctlError) as caught:
        await call
    return caught.value.failure


async def retried(call: Callable[[], Awaitable[object]]) -> object:
    """Call until it answers with something, for a moment."""
    for _ in range(100):
        try:
            answer = await call()
        except (TalosctlError, ApiError):
            answer = None
        if answer:
            return answer
        await asyncio.sleep(0.05)
    pytest.fail("it never answered")


@pytest.mark.usefixtures("lab")
async def test_machine_becomes_a_cluster(
    runner: ProcessRunner, real_tool: Callable[[str], str], configs: Path
) -> None:
    """From maintenance mode to a served API, each answer is understood for what it is."""
    book = AddressBook({NODE: LOOPBACK})
    talosctl = Talosctl(real_tool("talosctl"), runner, book, configs / "talosconfig")

    status = await talosctl.machine_status(NODE, insecure=True)
    disks = await talosctl.disks(NODE, insecure=True)
    assert (status.stage, disks[0].dev_path) == ("maintenance", "/dev/sda")
    assert await failure_of(talosctl.machine_status(NODE)) == Failure.UNKNOWN_AUTHORITY

    await talosctl.apply_config(NODE, configs / "controlplane.yaml", insecure=True)
    assert await retried(lambda: talosctl.boot_id(NODE))
    assert await retried(lambda: refuses_strangers(talosctl))

    await retried(lambda: bootstrapped(talosctl))
    assert await failure_of(talosctl.bootstrap(NODE)) == Failure.ALREADY_EXISTS
    await retried(lambda: talosctl.etcd_members(NODE))

    kubeconfig = parse_kubeconfig(await talosctl.kubeconfig(NODE))
    assert kubeconfig.host == VIP_LOOPBACK
    async with Kubernetes(kubeconfig, address=NODE, dialled=LOOPBACK) as api:
        assert await retried(api.readyz) == "ok"
        await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        assert (await api.get(ObjectRef("v1", "Namespace", "shop"))).name == "shop"
        assert await retried(lambda: names_of(api, Selection("v1", "Node")))


async def bootstrapped(talosctl: Talosctl) -> bool:
    """Bootstrap etcd; True once the machine took it."""
    await talosctl.bootstrap(NODE)
    return True


async def refuses_strangers(talosctl: Talosctl) -> bool:
    """Tell whether the machine wants a certificate; between its reboots nothing answers."""
    failure = await failure_of(talosctl.version(NODE, insecure=True))
    return failure == Failure.CERTIFICATE_REQUIRED


async def names_of(api: Kubernetes, selection: Selection) -> list[str]:
    """Return the names of what is selected."""
    return [item.name for item in (await api.list(selection)).items]
