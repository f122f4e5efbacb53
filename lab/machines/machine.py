"""One simulated machine: its hardware, what is on its disk, and what this boot made of it.

A machine is state plus small verbs; `lifecycle` moves it through its boots, `rpc` answers for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

from google.protobuf.message import Message

from lab.clock import LabClock
from lab.ledger import CAUSE
from lab.machines import durations, pki
from lab.machines.boot import Boot, Install, MachineSpec, PowerRequest, Stage, Verb
from lab.machines.config import MachineConfig, parse_config
from lab.machines.etcd import EtcdData
from lab.machines.events import EventBus
from lab.machines.faults import Fault, change_hardware
from lab.machines.gate import ApiGate
from lab.machines.hardware import Hardware
from lab.machines.images import InstallerImage
from lab.machines.services import ServiceTable
from lab.machines.signal import Signal
from lab.machines.storage import measure_storage
from lab.network import LineFault
from lab.ports import EtcdSeat, NodeFacts, StaticPod

__all__ = ["Changes", "Machine"]


class Changes:
    """Counts the changes of any machine's config, for whoever keeps what follows from them."""

    def __init__(self) -> None:
        self.count = 0


class Machine:
    """A simulated machine; `boot` is replaced at every boot, `install` stays on the disk."""

    def __init__(self, spec: MachineSpec, clock: LabClock) -> None:
        self.spec = spec
        self.clock = clock
        self.install: Install | None = None
        self.etcd: EtcdData | None = None
        self.requests: asyncio.Queue[PowerRequest] = asyncio.Queue()
        self.changed = Signal()
        self.gate: ApiGate  # set by Machines, which knows the RPC table and the other machines
        self.powered = asyncio.Event()  # set once the API is as it should be
        self.applied = asyncio.Event()
        self.changes = Changes()
        self.siblings = 1  # how many machines there are, itself among them
        self.images: set[str] = set()  # container images on the disk
        self.wiped: set[str] = set()  # device paths of disks that were wiped
        self.is_writing = False  # an installer writes the other slot
        self.snapshot: bytes | None = None  # /var/lib/etcd.snapshot, uploaded to recover from
        self.pending: MachineConfig | None = None  # sent in maintenance, not active yet
        self.cause = 0  # the wait that what now happens to it follows from (`lab.ledger`)
        self._faults: set[Fault] = set()
        self._foreign_config: MachineConfig | None = None
        self.boot = self._make_boot()

    # What it is.

    @property
    def name(self) -> str:
        """Name in the lab, which is the node's name in the repository."""
        return self.spec.name

    @property
    def config(self) -> MachineConfig | None:
        """The active machine config."""
        return self.boot.config

    def activate(self, config: MachineConfig | None) -> None:
        """Make a config the active one."""
        self.boot.config = config
        self.changes.count += 1

    @property
    def hostname(self) -> str:
        """Host name: the config's, else the stable one that Talos derives."""
        if self.config is not None and self.config.hostname:
            return self.config.hostname
        return f"talos-{self.spec.hardware.serial[-6:].lower()}"

    @property
    def is_control_plane(self) -> bool:
        """Tell whether its config makes it a control plane."""
        return self.config is not None and self.config.is_control_plane

    @property
    def is_isolated(self) -> bool:
        """Tell whether it belongs to a cluster that the lab does not hold."""
        return self.has_fault(Fault.FOREIGN_CLUSTER)

    @property
    def authority(self) -> str:
        """Name of the Talos CA that it belongs to, "" in maintenance."""
        return pki.identify_authority(self.config.ca_crt) if self.config else ""

    @property
    def is_reachable(self) -> bool:
        """Tell whether its API answers."""
        return self.gate.is_open

    @property
    def is_cut_off(self) -> bool:
        """Tell whether its network keeps it from everybody."""
        return self.gate.line.is_cut_off

    @property
    def hardware(self) -> Hardware:
        """Hardware as faults and resets leave it."""
        hardware = change_hardware(self.spec.hardware, self._faults)
        return hardware.wipe(self.wiped) if self.wiped else hardware

    # What goes wrong with it.

    def has_fault(self, fault: Fault) -> bool:
        """Tell whether a fault is on."""
        return fault in self._faults

    def set_fault(self, name: str, *, on: bool = True) -> None:
        """Turn a fault on or off by name; see `Fault` and `LineFault` for the names.

        Raises:
            ValueError: no fault has that name.
        """
        if name in {fault.value for fault in LineFault}:
            self.gate.line.set_fault(LineFault(name), on=on)
            self.changed.ring()
            return
        fault = Fault(name)
        if on:
            self._faults.add(fault)
        else:
            self._faults.discard(fault)
        if fault is Fault.FOREIGN_CLUSTER:
            self.requests.put_nowait(PowerRequest(Verb.REBOOT, is_instant=True))
        self.changed.ring()

    def preconfigure(self, raw: bytes) -> None:
        """Make it a machine that was installed with this config earlier, at once.

        Raises:
            ConfigError: the config does not parse.
        """
        config = parse_config(raw)
        disks = config.find_install_disks(self.hardware.disks)
        image = self.read_image(config.install_image)
        self.install = Install(disks[0].dev_path if disks else "", image, config=config)
        self.requests.put_nowait(PowerRequest(Verb.REBOOT, is_instant=True))

    # What happens to it.

    def read_image(self, reference: str) -> InstallerImage:
        """Read an installer reference; one without a tag is Talos' default, the boot image's."""
        return InstallerImage.read(reference) or InstallerImage(self.spec.talos_version)

    def begin_boot(self) -> None:
        """Forget what memory held and start anew from the disk."""
        self._choose_slot()
        self.boot = self._make_boot()
        self.applied.clear()
        self.requests = asyncio.Queue()
        if self.install is not None and not self.has_fault(Fault.LOST_STATE):
            self.boot.config = self.install.config
        if self.is_isolated:
            self.boot.config = self._foreign_config = self._foreign_config or _make_foreign()
        self.activate(self.boot.config)
        self.changed.ring()

    def _choose_slot(self) -> None:
        if self.install is None or self.install.image == self.boot.image:
            return
        if self.has_fault(Fault.OLD_VERSION) and self.install.other_image == self.boot.image:
            # A/B fallback: the new slot did not boot, the boot loader took the old one.
            self.install.flip()

    def set_stage(self, stage: Stage) -> None:
        """Enter a stage; conditions are computed again by whoever watches."""
        self.boot.stage = stage
        self.log(f"machine stage: {stage}")
        self.changed.ring()

    def publish(self, payload: Message, actor: str = "") -> None:
        """Put an event on the stream."""
        self.boot.events.publish(payload, self.clock.now(), actor)
        self.changed.ring()

    def request_reboot(self) -> None:
        """Begin a reboot that nobody's request id follows."""
        self.requests.put_nowait(PowerRequest(Verb.REBOOT))

    def log(self, line: str) -> None:
        """Write a line to the console, which `talosctl dmesg` reads."""
        self.boot.console.append(f"{self.clock.now().isoformat()} {line}")

    def count(self, act: str) -> None:
        """Count an act of this machine in the ledger."""
        self.clock.ledger.count(f"{act}/{self.name}")

    async def wait(self, seconds: float, what: str) -> None:
        """Let simulated time pass for this machine, by name."""
        self.clock.ledger.follow(self.cause)
        await self.clock.wait(seconds, f"{self.name}: {what}")
        self.cause = CAUSE.get()

    def note_order(self) -> None:
        """Let what happens next follow from all that was seen: somebody outside asked for it."""
        self.clock.ledger.follow_seen()
        self.clock.ledger.follow(self.cause)
        self.cause = CAUSE.get()

    def poll_s(self) -> float:
        """Wall seconds between two looks at what nobody announces.

        Not below 20 ms: at a thousand times real time a simulated second is a millisecond. All
        machines together look at most 2,000 times a second.
        """
        return max(durations.STATUS_POLL_S / self.clock.speed, 0.02, self.siblings / 2000)

    def describe_node(self) -> NodeFacts:
        """Tell Kubernetes what its kubelet would."""
        config = self.config
        if config is None:
            message = f"{self.name} has no machine config"
            raise RuntimeError(message)
        labels: Mapping[str, str] = config.node_labels
        versions = self.boot.components.count(config.components)
        return NodeFacts(
            name=self.hostname,
            role=config.machine_type,
            address=self.spec.address,
            loopback=self.spec.loopback,
            vip=self.spec.vip,
            vip_loopback=self.spec.vip_loopback,
            labels=labels,
            taints=config.node_taints,
            kubelet_version=self.boot.kubelet_version or config.kubelet_version or "v1.36.3",
            os_image=f"Talos ({self.boot.version})",
            rotates_server_certificates=config.rotates_server_certificates,
            has_external_cloud=config.has_external_cloud,
            storage=self._measure_storage(config),
            has_known_disks=self.hardware.has_known_disks,
            cluster_endpoint=config.endpoint,
            cert_sans=config.api_cert_sans,
            admission_control=config.admission_control,
            static_pods=tuple(
                StaticPod(item.name, item.image, versions[item.name]) for item in config.components
            ),
            manifests=config.manifests,
        )

    def _measure_storage(self, config: MachineConfig) -> Mapping[str, int]:
        system = self.install.disk if self.install else ""
        return measure_storage(self.hardware.disks, system, config.user_volumes)

    def describe_etcd_seat(self) -> EtcdSeat:
        """Tell where its member of etcd runs, and under which CA."""
        config = self.config
        if config is None:
            message = f"{self.name} has no machine config"
            raise RuntimeError(message)
        return EtcdSeat(self.hostname, self.spec.loopback, config.etcd_ca_crt, config.etcd_ca_key)

    def _make_boot(self) -> Boot:
        events = EventBus()

        def publish(payload: Message) -> None:
            events.publish(payload, self.clock.now())
            self.changed.ring()

        services = ServiceTable(self.clock.now, publish)
        boot_id = str(uuid.uuid4())
        image = self.install.image if self.install else InstallerImage(self.spec.talos_version)
        return Boot(events, services, boot_id, image)


def _make_foreign() -> MachineConfig:
    authority = pki.make_authority("talos")
    return MachineConfig(
        raw=b"",
        machine_type="controlplane",
        ca_crt=authority.crt,
        ca_key=authority.key,
        cluster_name="somebody-elses",
        cluster_id="",
        endpoint="https://192.0.2.1:6443",  # RFC 5737: documentation
        hostname="foreign",
    )
