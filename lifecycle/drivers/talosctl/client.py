"""Calls of talosctl: one node a call, every address and file named, every call bounded in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.documents import flag_at
from lifecycle.drivers.process import Completed, Runner
from lifecycle.drivers.talosctl.failures import Failure, TalosctlError, classify
from lifecycle.drivers.talosctl.tables import parse_folder, parse_service_state
from lifecycle.drivers.talosctl.values import (
    DiscoveredVolume,
    Disk,
    EtcdMember,
    Link,
    MachineStatus,
    Resource,
    Service,
    SystemInformation,
    TalosVersion,
    parse_etcd_members,
    parse_resources,
    parse_version,
)
from lifecycle.errors import CommandFailedError, CommandTimedOutError
from lifecycle.secrets import Secret

__all__ = ["ApplyResult", "Talosctl"]

_Value = TypeVar("_Value")

_BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"
# talosctl itself gives a silent host about 20 s and knows no deadline; an answer takes far less.
_CALL_TIMEOUT_S = 30.0
_APPLY_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What a machine said to its new config; a dry run's details hold a diff, secrets and all."""

    details: str = field(repr=False)
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Talosctl:
    """talosctl bound to a talosconfig and to the addresses that are dialled.

    `node` is always a declared address. `insecure` asks a machine in maintenance mode, which
    knows no client certificates; no talosconfig is needed then. Every method raises
    `TalosctlError`, whose `failure` says what stood in the way, and `ToolMissingError`.

    `patient` runs what asks such machines, where it is given: there may be dozens of them, all
    asked at once while their configs are made, and it is the configs that everything waits for.
    """

    program: str
    runner: Runner
    addresses: AddressBook
    talosconfig: Path | None = None
    timeout_s: float = _CALL_TIMEOUT_S
    patient: Runner | None = None

    async def version(self, node: str, *, insecure: bool = False) -> TalosVersion:
        """Return the version that runs on a node."""
        completed = await self._call(node, ["version"], insecure=insecure)
        return self._parsed(node, completed, parse_version)

    async def get(
        self, node: str, kind: str, resource_id: str = "", *, insecure: bool = False
    ) -> tuple[Resource, ...]:
        """Return the resources of a kind (a CLI word such as `disks`), or one of them by id."""
        words = ["get", kind, *([resource_id] if resource_id else []), "-o", "json"]
        runner = self.patient if insecure else None
        completed = await self._call(node, words, insecure=insecure, runner=runner)
        return self._parsed(node, completed, parse_resources)

    async def machine_status(self, node: str, *, insecure: bool = False) -> MachineStatus:
        """Return the machine's stage, whether it is ready, and what it waits for."""
        resources = await self.get(node, "machinestatus", insecure=insecure)
        return MachineStatus.from_spec(resources[0].spec if resources else {})

    async def disks(self, node: str, *, insecure: bool = False) -> tuple[Disk, ...]:
        """Return the machine's disks, read-only ones and CD drives too."""
        resources = await self.get(node, "disks", insecure=insecure)
        return tuple(Disk.from_resource(resource) for resource in resources)

    async def discovered_volumes(
        self, node: str, *, insecure: bool = False
    ) -> tuple[DiscoveredVolume, ...]:
        """Return the partition tables, partitions and file systems on the machine's disks."""
        resources = await self.get(node, "discoveredvolumes", insecure=insecure)
        return tuple(DiscoveredVolume.from_resource(resource) for resource in resources)

    async def links(self, node: str, *, insecure: bool = False) -> tuple[Link, ...]:
        """Return the machine's network links, virtual ones too."""
        resources = await self.get(node, "links", insecure=insecure)
        return tuple(Link.from_resource(resource) for resource in resources)

    async def system_information(self, node: str, *, insecure: bool = False) -> SystemInformation:
        """Return the machine's maker, serial number and UUID."""
        resources = await self.get(node, "systeminformation", insecure=insecure)
        return SystemInformation.from_spec(resources[0].spec if resources else {})

    async def is_time_synced(self, node: str, *, insecure: bool = False) -> bool:
        """Tell whether the machine's clock follows a server, or is told not to."""
        resources = await self.get(node, "timestatus", insecure=insecure)
        spec = resources[0].spec if resources else {}
        return flag_at(spec, "synced") or flag_at(spec, "syncDisabled")

    async def services(self, node: str) -> tuple[Service, ...]:
        """Return the state of the Talos services of a configured node."""
        resources = await self.get(node, "services")
        return tuple(Service.from_resource(resource) for resource in resources)

    async def service_state(self, node: str, name: str) -> str:
        """Return a service's state as `talosctl service` names it, such as `Preparing`.

        The state says more than the Service resource, which exists only while a service runs.
        A service that a node does not have, or not yet, fails with `Failure.NOT_FOUND`.
        """
        completed = await self._call(node, ["service", name])
        return self._parsed(node, completed, parse_service_state)

    async def list_folder(self, node: str, path: str) -> tuple[str, ...]:
        """Return the names in a folder of a node; none is there fails with `Failure.NOT_FOUND`."""
        completed = await self._call(node, ["list", path])
        return self._parsed(node, completed, parse_folder)

    async def boot_id(self, node: str) -> str:
        """Return the kernel's boot id, which changes with every boot; needs a configured node."""
        completed = await self._call(node, ["read", _BOOT_ID_PATH])
        return completed.stdout.decode().strip()

    async def etcd_members(self, node: str) -> tuple[EtcdMember, ...]:
        """Return the members as etcd on that control plane knows them.

        Raises:
            TalosctlError: Also when the node's answer is an error that talosctl only warns of.
        """
        completed = await self._call(node, ["etcd", "members"])
        said = completed.stderr.decode("utf-8", "replace")
        if not completed.stdout.strip() and "rpc error" in said:
            raise self._failed(node, completed)
        return self._parsed(node, completed, parse_etcd_members)

    async def apply_config(
        self,
        node: str,
        config: Path,
        *,
        insecure: bool = False,
        mode: str = "auto",
        dry_run: bool = False,
    ) -> ApplyResult:
        """Send a machine config to a node; in maintenance mode that installs it.

        Args:
            node: The declared address.
            config: The machine config's file; its content never appears in arguments.
            insecure: The node is in maintenance mode.
            mode: auto, no-reboot, staged or try.
            dry_run: Only say what would change.
        """
        words = ["apply-config", "--file", str(config), "--mode", mode]
        words += ["--dry-run"] if dry_run else []
        completed = await self._call(node, words, insecure=insecure, timeout_s=_APPLY_TIMEOUT_S)
        lines = completed.stderr.decode("utf-8", "replace").splitlines()
        warnings = tuple(line for line in lines if line.startswith("WARNING: "))
        return ApplyResult("\n".join(line for line in lines if line not in warnings), warnings)

    async def validate(self, config: Path, *, mode: str = "metal") -> None:
        """Check a machine config file without any machine.

        Raises:
            CommandFailedError: It is not valid; the error's text says why.
        """
        argv = [self.program, "validate", "--config", str(config), "--mode", mode]
        await self.runner.run(argv, timeout_s=self.timeout_s)

    async def bootstrap(self, node: str) -> None:
        """Make etcd begin on a control plane: once in a cluster's life, on one node only.

        Nothing on the servers stops a second bootstrap on another node, which makes two clusters.
        """
        await self._call(node, ["bootstrap"])

    async def kubeconfig(self, node: str) -> Secret:
        """Return the admin kubeconfig, made by a control plane; it is never written to disk."""
        completed = await self._call(node, ["kubeconfig", "-", "--merge=false"])
        return Secret(completed.stdout)

    async def _call(
        self,
        node: str,
        words: Sequence[str],
        *,
        insecure: bool = False,
        timeout_s: float = 0.0,
        runner: Runner | None = None,
    ) -> Completed:
        address = self.addresses.dial(node)
        argv = [self.program, *words, "--nodes", address, "--endpoints", address]
        argv += ["--talosconfig", str(self.talosconfig)] if self.talosconfig else []
        argv += ["--insecure"] if insecure else []
        if not insecure:
            self._check_talosconfig(node, argv)
        try:
            return await (runner or self.runner).run(argv, timeout_s=timeout_s or self.timeout_s)
        except CommandTimedOutError as error:
            silent = CommandFailedError(error.argv, returncode=-1, stderr_tail=str(error))
            raise TalosctlError(silent, Failure.TIMEOUT, node=node) from error
        except CommandFailedError as error:
            raise TalosctlError(error, classify(error.stderr_tail), node=node) from error

    def _check_talosconfig(self, node: str, argv: Sequence[str]) -> None:
        """Refuse to ask without a talosconfig: talosctl would make an empty file of that name."""
        if self.talosconfig is None or self.talosconfig.exists():
            return
        absent = CommandFailedError(argv, returncode=1, stderr_tail=str(Failure.NO_TALOSCONFIG))
        raise TalosctlError(absent, Failure.NO_TALOSCONFIG, node=node)

    def _parsed(self, node: str, completed: Completed, parse: Callable[[str], _Value]) -> _Value:
        """Parse stdout; an exit code of 0 without a usable answer is a failure all the same."""
        try:
            return parse(completed.stdout.decode())
        except ValueError as error:
            raise self._failed(node, completed) from error

    def _failed(self, node: str, completed: Completed) -> TalosctlError:
        cause = self.runner.failure(completed)
        return TalosctlError(cause, classify(cause.stderr_tail), node=node)
