"""Puts the world of one rehearsal together: repository, charts, machines, Kubernetes, Flux."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inventory import Inventory, read_repository
from lab.addresses import Addresses, reserve_loopbacks
from lab.breaking import break_repository, own_copy
from lab.charts import build_charts, find_used_kinds, find_wanted_charts
from lab.clock import LabClock
from lab.control import Control
from lab.declared import find_addresses, find_registries, make_specs
from lab.faults import FaultBoard, FaultRequest, Hands, RepositoryFault, find_fault
from lab.flux import Flux
from lab.following import Follower
from lab.hardware_file import HARDWARE_FILE
from lab.kubernetes import Kubernetes
from lab.kubernetes.backend import LabBackend
from lab.ledger import Ledger
from lab.machines import Machines
from lab.network import Lines
from lab.operating import Operator
from lab.real import PORTS, Programs, RealBackend, RealEtcd, find_programs
from lab.registry import Registry
from lab.repository import (
    MaterializedRepository,
    choose_cluster,
    decrypt_environment,
    find_given_key,
    find_sample,
    materialize,
)
from lab.sockets import choose_socket
from lab.standins.clusterfiles import SOPS_VARIABLE
from lab.standins.install import install_standins
from lab.tools import LabTools

__all__ = ["DEFAULT_SPEED", "LabRequest", "LabWorld"]

_log = logging.getLogger(__name__)

# The sample in well under a minute on two cores, also on a busy machine. Faster, and real work
# (helm, kustomize, starting tools) would no longer be small against the waits that it is part of.
DEFAULT_SPEED = 8.0

_STAND_INS = ("talosctl", "clustertool", "flux")


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What to simulate; without `repository`, the sample that the project ships.

    `tools` are folders to search for sops, kubectl and helm before PATH; `charts` hold real
    charts, which are used as they are; `speed` is how much faster than the wall time passes.
    `assets` is a folder with a real kube-apiserver and etcd to run; without, the lab has its own.
    `reserve` finds where to listen for declared addresses.
    """

    folder: Path
    repository: Path | None = None
    cluster: str = ""
    charts: tuple[Path, ...] = ()
    tools: tuple[Path, ...] = ()
    speed: float = DEFAULT_SPEED
    faults: tuple[FaultRequest, ...] = ()
    assets: Path | None = None
    reserve: Callable[[Sequence[str], Sequence[int]], Addresses] = reserve_loopbacks


@dataclass(slots=True)
class LabWorld:
    """A world that runs; `start` makes it, `stop` ends it."""

    request: LabRequest
    ledger: Ledger = field(default_factory=Ledger)
    _parts: _Parts | None = None

    async def start(self) -> None:
        """Make everything and write `lab.json` last: whoever finds it can begin.

        Raises:
            ToolFailedError, ToolMissingError: the repository could not be made.
            ValueError: the repository has no cluster that fits.
            ProgramsError: `assets` lacks a program.
            HardwareFileError: the user's hardware file does not describe machines.
        """
        request = self.request
        programs = find_programs(request.assets) if request.assets else None
        request.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = _take_repository(request)
        made, cluster, inventory = taken.made, taken.cluster, taken.inventory
        tools = taken.tools
        charts = request.folder / "charts"
        build_charts(
            *(find_wanted_charts(made.path), charts, request.charts), find_used_kinds(inventory)
        )
        clock = LabClock(self.ledger, speed=request.speed)
        reserved = request.reserve(find_addresses(inventory), PORTS if programs else ())
        lines = Lines(clock, reserved.bind)
        kubernetes, etcd = _make_kubernetes(request.folder, clock, programs, lines)
        addresses = reserved.loopback
        specs = make_specs(inventory, addresses, taken.hardware_file)
        machines = Machines(clock, kubernetes, specs, lines=lines, etcd=etcd)
        registry = Registry()
        flux = Flux(
            *(clock, kubernetes.client),
            charts=[charts, *request.charts],
            tools=tools.with_clock(clock),
            work=request.folder / "flux",
            inner=kubernetes.inner,
        )
        hands = _make_hands(machines, kubernetes, registry, flux)
        faults = _make_board(request, clock, hands, taken.broken)
        await registry.start()
        await machines.start()
        await flux.start()
        socket = choose_socket(request.folder, "control.sock")
        control = Control(
            socket,
            folder=request.folder,
            ledger=self.ledger,
            clock=clock,
            faults=faults,
            operator=Operator(kubernetes.client, clock),
            follower=Follower(taken.source, made, tools),
        )
        await control.start()
        self._parts = _Parts(
            kubernetes, etcd, machines, flux, control, registry, reserved, faults, lines
        )
        registries = dict.fromkeys(find_registries(inventory), registry.address)
        made = replace(made, env={**made.env, SOPS_VARIABLE: str(tools.find("sops"))})
        declared = inventory.talos.kubernetes_version if inventory.talos else ""
        described_pair = programs.describe(declared) if programs else ""
        self._announce(
            made, cluster, {**addresses, **registries}, charts, socket, kubernetes=described_pair
        )

    async def stop(self) -> None:
        """End everything; the folder stays."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            await parts.control.stop()
            parts.faults.stop()
            await parts.flux.stop()
            await parts.registry.stop()
            await parts.machines.stop()
            await parts.kubernetes.close()
            parts.lines.close()
            if parts.etcd is not None:
                await parts.etcd.close()
            parts.reserved.close()

    def renew(self, host: str) -> None:
        """Listen anew on an address that was gone for a while."""
        if self._parts is not None and (line := self._parts.lines.find(host)):
            line.renew()

    def _announce(
        self,
        made: MaterializedRepository,
        cluster: str,
        addresses: Mapping[str, str],
        charts: Path,
        socket: Path,
        *,
        kubernetes: str,
    ) -> None:
        folder = self.request.folder
        described = {
            "pid": os.getpid(),
            "repo": str(made.path),
            "cluster": cluster,
            "addresses": dict(addresses),
            "path": [str(_place_stand_ins(folder / "bin"))],
            "env": dict(made.env),
            "charts": [str(charts)],
            "speed": self.request.speed,
            "control": str(socket),
            "kubernetes": kubernetes,
        }
        part = folder / "lab.json.part"
        part.write_text(json.dumps(described, indent=2), encoding="utf-8")
        part.replace(folder / "lab.json")


@dataclass(frozen=True, slots=True)
class _Taken:
    source: Path
    made: MaterializedRepository
    cluster: str
    inventory: Inventory
    broken: Sequence[RepositoryFault]
    tools: LabTools

    @property
    def hardware_file(self) -> Path:
        """Where the user describes machines; the file need not be there, nor be committed."""
        return self.source / "clusters" / self.cluster / HARDWARE_FILE


def _take_repository(request: LabRequest) -> _Taken:
    """Copy the repository that is rehearsed, break it as faults say, and read it."""
    tools = LabTools(request.tools)
    source = request.repository or find_sample()
    made = materialize(source, request.folder, tools)
    tools = tools.with_env({**made.env, **find_given_key(os.environ)})
    cluster = choose_cluster(made.path, request.cluster)
    decrypted = decrypt_environment(made, cluster, tools)
    broken = _find_broken(request.faults)
    if broken:
        made = own_copy(made, request.folder, tools)
        made = break_repository(made, cluster, broken, tools, decrypted)
    inventory = read_repository(made.path, cluster, decrypted)
    return _Taken(source, made, cluster, inventory, broken, tools)


@dataclass(frozen=True, slots=True)
class _Parts:
    kubernetes: Kubernetes
    etcd: RealEtcd | None
    machines: Machines
    flux: Flux
    control: Control
    registry: Registry
    reserved: Addresses
    faults: FaultBoard
    lines: Lines


def _make_kubernetes(
    folder: Path, clock: LabClock, programs: Programs | None, lines: Lines
) -> tuple[Kubernetes, RealEtcd | None]:
    """Make the cluster's Kubernetes and etcd: the lab's own, or a real pair's."""
    if programs is None:
        return Kubernetes(clock, backend=LabBackend(clock, lines=lines)), None
    _log.warning("Kubernetes is real: %s", programs.describe())
    etcd = RealEtcd(programs, folder / "etcd")
    backend = RealBackend(clock, programs, folder / "kubernetes", lines=lines, etcd=etcd)
    return Kubernetes(clock, backend=backend), etcd


def _make_hands(
    machines: Machines, kubernetes: Kubernetes, registry: Registry, flux: Flux
) -> Hands:
    control_planes = tuple(m.name for m in machines if m.spec.role == "controlplane")
    workers = tuple(m.name for m in machines if m.spec.role != "controlplane")
    return Hands(machines, kubernetes, registry, flux.faults, control_planes, workers)


def _make_board(
    request: LabRequest, clock: LabClock, hands: Hands, broken: Sequence[RepositoryFault]
) -> FaultBoard:
    faults = FaultBoard(clock, hands, [fault.name for fault in broken])
    for fault in request.faults:
        if not isinstance(find_fault(fault.name), RepositoryFault):
            faults.set(fault)
    return faults


def _find_broken(requests: Sequence[FaultRequest]) -> list[RepositoryFault]:
    found = [find_fault(request.name) for request in requests]
    return [fault for fault in found if isinstance(fault, RepositoryFault)]


def _place_stand_ins(folder: Path) -> Path:
    """Make launchers for the tools that this machine has not; the real ones come first."""
    missing = [name for name in _STAND_INS if shutil.which(name) is None]
    folder.mkdir(exist_ok=True)
    install_standins(folder, missing)
    return folder
