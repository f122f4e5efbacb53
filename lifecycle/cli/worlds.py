"""Builds the world of a run from the site, and the plan on top of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inventory import Inventory
from lifecycle.cli.age_keys import find_age_key
from lifecycle.cli.allowed import check_allowed
from lifecycle.cli.wiring import Diagnose, Inputs, Prepared
from lifecycle.clock import SystemClock
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.charts import ChartCache
from lifecycle.drivers.flux import Flux
from lifecycle.drivers.git import Git
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.kustomize import Kustomize
from lifecycle.drivers.private import PrivateFolder
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.process import Listener as ProcessListener
from lifecycle.drivers.registry import Registries
from lifecycle.drivers.sops import Sops
from lifecycle.drivers.talosctl import Talosctl
from lifecycle.drivers.tools import TOOLS, Tools, find_tools
from lifecycle.engine import CURRENT_STEP, Event, EventName, Listener
from lifecycle.runs import plan_bootstrap
from lifecycle.store import find_cache_home
from lifecycle.world import Options, Places, World
from lifecycle.world.builds import Builds
from lifecycle.world.chart_facts import ChartFacts
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.holder import find_own_holder
from lifecycle.world.lease import RENEW_S, ClusterLease
from lifecycle.world.machine_configs import MachineConfigs
from lifecycle.world.repository import Repository, open_repository
from lifecycle.world.sightings import Sightings
from lifecycle.world.source_credentials import SourceCredentials

if TYPE_CHECKING:
    from lifecycle.diagnosis import Diagnosis

__all__ = ["prepare_bootstrap"]

# Of builders beside calls to machines, on machines with few cores: half way, as `nice` has it.
_NICENESS = 10


@asynccontextmanager
async def prepare_bootstrap(inputs: Inputs) -> AsyncIterator[Prepared]:
    """Open the doors, read the repository, make the plan of a bootstrap; close all at the end."""
    clock = SystemClock(speed=inputs.site.speed)
    async with AsyncExitStack() as doors:
        world = await _build_world(inputs, clock, doors)
        plan = await plan_bootstrap(world)
        yield Prepared(plan, clock, hold=world.lease.kept, diagnose=_make_diagnose(world))


def _make_diagnose(world: World) -> Diagnose:
    async def diagnose_failure(step: str, seen: str) -> tuple[Diagnosis, ...]:
        from lifecycle.diagnosis import diagnose  # noqa: PLC0415 (start-up)

        return await diagnose(world, step, seen)

    return diagnose_failure


async def _build_world(inputs: Inputs, clock: SystemClock, doors: AsyncExitStack) -> World:
    """Open what the run needs; what is to be closed at its end is handed to `doors`."""
    site = inputs.site
    private = PrivateFolder.create(os.environ, site.state.work)
    doors.callback(private.close)
    environment = Environment.from_variables(os.environ, site.env)
    listener = _adapt(inputs.listener, clock)
    runner = ProcessRunner(environment, redactor=inputs.redactor, listener=listener)
    patient = ProcessRunner(
        environment, redactor=inputs.redactor, listener=listener, niceness=_NICENESS
    )
    cache = find_cache_home(os.environ)
    tools = await find_tools(
        tuple(TOOLS),
        runner,
        path=os.environ.get("PATH", os.defpath),
        cache=cache / "tools",
        folders=site.path,
        fetch=True,
    )
    age_key = find_age_key(site.repo, site.age_key_file, os.environ)
    inputs.redactor.learn([age_key])
    git = Git(tools.program("git"), runner, site.repo)
    opened = open_repository(
        site.repo,
        site.cluster,
        git=git,
        sops=Sops(tools.program("sops"), runner, age_key if age_key.reveal() else None),
        private=private,
        redactor=inputs.redactor,
        # A cluster without a talosconfig is new, and its machine configs will be generated.
        copy_ahead=not site.state.talosconfig.exists(),
    )
    repository = await doors.enter_async_context(opened)
    check_allowed(
        repository.inventory, accepted=inputs.accepted, consented_disks=inputs.consented_disks
    )
    made = _Doors(runner, patient, listener, tools, cache, private.path)
    world = _assemble(inputs, clock, made, repository)
    await doors.enter_async_context(world.registries)
    doors.push_async_callback(world.access.close)
    return world


@dataclass(frozen=True, slots=True)
class _Doors:
    runner: ProcessRunner
    patient: ProcessRunner  # for what is built ahead, and gives way to what is waited for
    listener: ProcessListener
    tools: Tools
    cache: Path
    private: Path


def _assemble(inputs: Inputs, clock: SystemClock, doors: _Doors, repository: Repository) -> World:
    site = inputs.site
    runner, tools, cache = doors.runner, doors.tools, doors.cache
    addresses = AddressBook(site.addresses)
    program = _program(tools, "talosctl")
    talosctl = Talosctl(program, runner, addresses, site.state.talosconfig, patient=doors.patient)
    helm = Helm(_program(tools, "helm"), doors.patient, cache / "helm")
    flux = Flux(_program(tools, "flux"), doors.patient)
    charts = ChartCache(site.charts, cache / "charts", helm)
    credentials = SourceCredentials(repository.inventory, doors.private / "sources")
    control_planes = _control_planes(repository.inventory)
    access = ClusterAccess(site.state.kubeconfig, control_planes, addresses, doors.listener)
    return World(
        cluster=site.cluster,
        options=Options(inputs.accepted, inputs.consented_disks),
        was_attempted=inputs.was_attempted,
        places=Places(site.state.kubeconfig, site.state.talosconfig, cache),
        clock=clock,
        addresses=addresses,
        registries=Registries(addresses),
        tools=tools,
        repository=repository,
        talosctl=talosctl,
        sightings=Sightings(clock),
        git=repository.git,
        credentials=credentials,
        machine_configs=MachineConfigs(repository, tools, runner, talosctl, site.state.talosconfig),
        access=access,
        builds=Builds(repository, Kustomize(_program(tools, "kubectl"), doors.patient), flux),
        charts=ChartFacts(repository, charts, helm, cache / "facts", credentials),
        lease=ClusterLease(
            access,
            cluster=site.cluster,
            holder=find_own_holder(inputs.run),
            clock=clock,
            listener=inputs.listener,
            # Leases are counted in wall time, also where the run's own passes faster.
            renew_s=RENEW_S * site.speed,
        ),
    )


def _program(tools: Tools, name: str) -> str:
    """Return a tool's path; a missing one is the preflight's to name, so its word stands here."""
    return str(tools.found[name].path) if name in tools.found else name


def _control_planes(inventory: Inventory) -> tuple[str, ...]:
    talos = inventory.talos
    return tuple(node.address for node in talos.control_planes) if talos else ()


def _adapt(listener: Listener, clock: SystemClock) -> ProcessListener:
    def hear(event: str, fields: Mapping[str, str | int | float]) -> None:
        listener(Event(EventName(event), clock.now(), CURRENT_STEP.get(), dict(fields)))

    return hear
