"""The bundle itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inventory import Inventory, Node, Release, TalosConfig
from lifecycle.clock import Clock
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.git import Git
from lifecycle.drivers.registry import Registries
from lifecycle.drivers.talosctl import Talosctl
from lifecycle.drivers.tools import Tools
from lifecycle.errors import InventoryError, PlanError
from lifecycle.world.builds import Builds
from lifecycle.world.chart_facts import ChartFacts
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.lease import ClusterLease
from lifecycle.world.machine_configs import MachineConfigs
from lifecycle.world.repository import Repository
from lifecycle.world.sightings import Sightings
from lifecycle.world.source_credentials import SourceCredentials

__all__ = ["Options", "Places", "World"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user allowed for this run.

    `accepted` names components (or findings) that may be broken; `consented_disks` names nodes
    whose install disk may be wiped although it holds data.
    """

    accepted: frozenset[str] = frozenset()
    consented_disks: frozenset[str] = frozenset()

    def accepts(self, release: Release) -> bool:
        """Tell whether a release may be broken, by its own name or its component's."""
        return bool(self.accepted & {release.name, release.component})


@dataclass(frozen=True, slots=True)
class Places:
    """Files that outlive a run: admin credentials and public chart facts, no repository secrets."""

    kubeconfig: Path
    talosconfig: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class World:
    """What every step and gate is given."""

    cluster: str
    options: Options
    was_attempted: Callable[[str], bool]  # memory: explains what is seen, replaces no probe
    places: Places
    clock: Clock
    addresses: AddressBook
    registries: Registries
    tools: Tools
    repository: Repository
    talosctl: Talosctl
    sightings: Sightings
    git: Git
    credentials: SourceCredentials
    machine_configs: MachineConfigs
    access: ClusterAccess
    builds: Builds
    charts: ChartFacts
    lease: ClusterLease

    def was_given_config(self, node: Node) -> bool:
        """Tell whether any run has begun to give a machine its config."""
        return self.was_attempted(f"apply-machine-config/{node.hostname}")

    @property
    def inventory(self) -> Inventory:
        """The repository as values."""
        return self.repository.inventory

    @property
    def talos(self) -> TalosConfig:
        """The declared machines.

        Raises:
            InventoryError: the cluster's talconfig.yaml is not YAML.
            PlanError: the cluster has no talconfig.yaml.
        """
        if self.inventory.talos is None:
            self._refuse_broken_talconfig()
            raise PlanError(
                f"cluster has no talconfig.yaml: `{self.cluster}`",
                hint="only clusters on Talos can be bootstrapped",
            )
        return self.inventory.talos

    def _refuse_broken_talconfig(self) -> None:
        path = f"clusters/{self.cluster}/talos/talconfig.yaml"
        for finding in self.inventory.errors():
            place = finding.position
            if place.path == path:
                raise InventoryError(
                    finding.message,
                    path=path,
                    line=place.line,
                    column=place.column,
                    hint=finding.hint,
                )

    @property
    def first_control_plane(self) -> Node:
        """The control plane on which etcd begins: always the first that talconfig lists."""
        return self.talos.control_planes[0]
