"""The values around a machine: what it is made as, what its disk holds, what one boot knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lab.machines.components import ComponentVersions
from lab.machines.config import MachineConfig
from lab.machines.events import EventBus
from lab.machines.gate import ApiMode
from lab.machines.hardware import Hardware
from lab.machines.images import InstallerImage
from lab.machines.services import ServiceTable
from lab.ports import NodeFacts

__all__ = [
    "Boot",
    "Install",
    "MachineSpec",
    "PowerRequest",
    "Recovery",
    "Revision",
    "Stage",
    "Verb",
]


class Stage(StrEnum):
    """Talos' machine stages, as MachineStatus spells them."""

    UNKNOWN = "unknown"
    BOOTING = "booting"
    INSTALLING = "installing"
    MAINTENANCE = "maintenance"
    RUNNING = "running"
    REBOOTING = "rebooting"
    SHUTTING_DOWN = "shutting down"
    RESETTING = "resetting"
    UPGRADING = "upgrading"


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine as the lab is told of it; `vip` and `vip_loopback` are "" without a VIP."""

    name: str
    role: str  # `controlplane` or `worker`: what it is meant to become
    address: str  # declared
    loopback: str  # where it really listens
    hardware: Hardware
    vip: str = ""
    vip_loopback: str = ""
    talos_version: str = "v1.13.9"  # of the boot image


class Verb(StrEnum):
    """What a sequence does to a machine that runs."""

    REBOOT = "reboot"
    RESET = "reset"
    SHUTDOWN = "shutdown"
    UPGRADE = "upgrade"
    STAGE_UPGRADE = "stageUpgrade"  # reboots into the upgrade that was staged


@dataclass(frozen=True, slots=True)
class PowerRequest:
    """A sequence asked for: `actor` is the id that its events carry."""

    verb: Verb
    actor: str = ""
    reboots: bool = True
    wipes: frozenset[str] = frozenset()  # partition labels; {"*"} for the whole system disk
    wipes_disks: frozenset[str] = frozenset()  # device paths of other disks
    image: InstallerImage | None = None  # to write to the other slot
    leaves_etcd: bool = False
    drains: bool = False  # cordons the node and evicts its pods first
    is_instant: bool = False  # a rehearsal's preparation: takes no time


@dataclass(slots=True)
class Install:
    """What is on the system disk: the image of the slot to boot, the other slot's, the config."""

    disk: str  # device path
    image: InstallerImage
    other_image: InstallerImage | None = None
    config: MachineConfig | None = None
    staged: InstallerImage | None = None  # to be written at the next boot
    meta: dict[int, bytes] = field(default_factory=dict)  # META's keys
    has_joined: bool = False  # its kubelet has a client certificate (on EPHEMERAL)

    def flip(self) -> None:
        """Boot the other slot next time; does nothing when there is none."""
        if self.other_image is not None:
            self.image, self.other_image = self.other_image, self.image

    def write(self, image: InstallerImage) -> None:
        """Write an image to the other slot and boot it next time."""
        if image != self.image:
            self.other_image, self.image = self.image, image


@dataclass(frozen=True, slots=True)
class Recovery:
    """A bootstrap from the snapshot that was uploaded."""

    skips_checksum: bool = False


@dataclass(slots=True)
class Revision:
    """A resource as it was last read: its version grows when its spec has changed."""

    version: int
    spec: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Boot:
    """Everything that a reboot forgets."""

    events: EventBus
    services: ServiceTable
    id: str
    image: InstallerImage
    stage: Stage = Stage.UNKNOWN
    config: MachineConfig | None = None
    api: ApiMode = ApiMode.DOWN
    bootstrap_asked: bool = False
    components: ComponentVersions = field(default_factory=ComponentVersions)
    kubelet_version: str = ""  # of the kubelet that runs, or ran last
    lost_as: str = ""  # the node that it was until nothing was heard of it any more
    unheard_since_s: float | None = None  # since when no API server hears of its kubelet
    sessionless_since_s: float | None = None  # since when it cannot renew its session of etcd
    lost_vip: bool = False  # whether that was so long ago that it may not hold the VIP
    recovery: Recovery | None = None  # asked for with the bootstrap
    apiserver_runs: bool = False
    etcd_answers: bool = True  # the API server that runs
    node_told: NodeFacts | None = None  # what Kubernetes knows, once the kubelet has registered
    is_uncordoned: bool = False  # whether this boot has seen to that
    unmet: tuple[tuple[str, str], ...] = ()
    ready: bool = True
    console: list[str] = field(default_factory=list)
    revisions: dict[tuple[str, str], Revision] = field(default_factory=dict)

    @property
    def api_is_usable(self) -> bool:
        """Tell whether its API server can be written to."""
        return self.apiserver_runs and self.etcd_answers

    @property
    def version(self) -> str:
        """The Talos version that runs, with its leading `v`."""
        return self.image.version
