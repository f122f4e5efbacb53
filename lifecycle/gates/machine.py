"""Gate: a machine is one that this run may touch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from inventory import Node
from lifecycle.drivers.talosctl import DiscoveredVolume, Disk, Failure, Link, TalosctlError
from lifecycle.engine import Answer, Blocked, Patience, Satisfied, Unknown
from lifecycle.world import World
from lifecycle.world.disks import describe_disk, select_install_disks

__all__ = ["MachineIsKnown"]


@dataclass(frozen=True, slots=True)
class MachineIsKnown:
    """Ours, or in maintenance mode with the right hardware; anything else stops the run.

    A machine in maintenance mode is the only one that answers without a client certificate, and
    such a machine needs no talosconfig to be recognised. Whatever else asks for a certificate is
    ours or another cluster's, which its own certificate tells (facts: talos.md §2).
    """

    world: World
    node: Node
    after: tuple[str, ...] = ()
    # A server's POST takes a minute or two, and shows nothing of it.
    patience: Patience = Patience(stall=timedelta(minutes=2), deadline=timedelta(minutes=10))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"machine-is-known/{self.node.hostname}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Recognise machine {self.node.hostname}"

    @property
    def hint(self) -> str:
        """What to look at when the machine stays silent."""
        return (
            f"is it on, and is its address the one declared at {self.node.position}? "
            f"see talosctl get disks --insecure -n {self.node.address}"
        )

    async def probe(self) -> Answer:
        """Ask the machine who it is; first in the way in which it most likely answers."""
        if not self.world.was_given_config(self.node):
            try:
                return await self._judge_hardware()
            except TalosctlError as error:
                if error.failure is not Failure.CERTIFICATE_REQUIRED:
                    return self._judge_insecure_failure(error)
        try:
            status = await self.world.talosctl.machine_status(self.node.address)
        except TalosctlError as error:
            return await self._judge_failure(error)
        self.world.sightings.note(self.node.hostname, status.stage)
        return Satisfied(f"ours, {status.stage}")

    async def _judge_failure(self, error: TalosctlError) -> Answer:
        if error.failure.is_unreachable:
            if self._may_wait_for_control_plane():
                return Satisfied("given its config before, waits for a control plane")
            return Unknown(f"{self.node.address} does not answer: {error.failure}")
        if error.failure is Failure.NO_TALOSCONFIG:
            return Unknown(error.message)
        if error.failure not in {Failure.UNKNOWN_AUTHORITY, Failure.CERTIFICATE_REQUIRED}:
            return Unknown(error.message)
        try:
            return await self._judge_hardware()
        except TalosctlError as insecure_error:
            return self._judge_insecure_failure(insecure_error)

    def _may_wait_for_control_plane(self) -> bool:
        """Tell whether silence is what such a machine does until a control plane is up.

        A worker fetches its API certificate from trustd on a control plane, so one that took its
        config in a run that was cut off stays silent until the control planes have theirs.
        """
        return self.world.was_given_config(self.node) and not self.node.is_control_plane

    def _judge_insecure_failure(self, error: TalosctlError) -> Answer:
        if error.failure is Failure.CERTIFICATE_REQUIRED:
            return Blocked(
                f"machine belongs to another cluster: `{self.node.address}` is configured, and "
                "its certificate is not signed by this cluster's CA",
                f"check the address declared at {self.node.position}; to give the machine up to "
                "this cluster, reset it with its own talosconfig: "
                f"talosctl reset -n {self.node.address}",
            )
        if error.failure is Failure.NOT_IMPLEMENTED:
            # talosctl 1.14 asks for the version first, which Talos 1.12 does not tell here.
            return Blocked(
                f"machine runs a Talos that this talosctl cannot look at: `{self.node.address}`: "
                f"{error.message}",
                "boot it from an image of the cluster's version, or put a talosctl of the "
                "machine's own version on PATH",
            )
        return Unknown(f"{self.node.address} does not answer: {error.failure}")

    async def _judge_hardware(self) -> Answer:
        disks, links, volumes = await asyncio.gather(
            self.world.talosctl.disks(self.node.address, insecure=True),
            self._links(),
            self._volumes(),
        )
        return self._judge_links(links) or self._judge_disks(disks, volumes)

    async def _links(self) -> tuple[Link, ...]:
        """Read the links of a machine whose node declares hardware addresses."""
        if not self.node.macs:
            return ()
        return await self.world.talosctl.links(self.node.address, insecure=True)

    async def _volumes(self) -> tuple[DiscoveredVolume, ...]:
        """Read what is on the disks; a machine too old to tell is taken to hold nothing."""
        try:
            return await self.world.talosctl.discovered_volumes(self.node.address, insecure=True)
        except TalosctlError as error:
            if error.failure in {Failure.NOT_FOUND, Failure.NOT_IMPLEMENTED}:
                return ()
            raise

    def _judge_links(self, links: tuple[Link, ...]) -> Answer | None:
        """Compare declared hardware addresses with the machine's."""
        present = {link.hardware_address.lower() for link in links}
        present |= {link.permanent_address.lower() for link in links}
        missing = [mac for mac in self.node.macs if mac not in present]
        if not missing:
            return None
        return Blocked(
            f"machine at {self.node.address} is not {self.node.hostname}: "
            f"no link has the declared hardware address `{', '.join(missing)}`",
            f"see talosctl get links --insecure -n {self.node.address}, and correct "
            f"{self.node.position} or the machine's address",
        )

    def _judge_disks(
        self, disks: tuple[Disk, ...], volumes: tuple[DiscoveredVolume, ...]
    ) -> Answer:
        matching = select_install_disks(self.node, disks)
        usable = [disk for disk in disks if not disk.readonly and not disk.cdrom]
        listing = "; ".join(describe_disk(disk) for disk in matching or usable)
        see = f"see talosctl get disks --insecure -n {self.node.address}, and correct"
        if not matching:
            return Blocked(
                f"no disk of {self.node.hostname} matches {self.node.position}: "
                f"it has {listing or 'none that Talos could be installed to'}",
                f"{see} installDisk or installDiskSelector",
            )
        if len(matching) > 1:
            return Blocked(
                f"{len(matching)} disks of {self.node.hostname} match {self.node.position}: "
                f"{listing}",
                f"{see} installDiskSelector so that it matches one, for example by serial or wwid",
            )
        return self._judge_data(matching[0], volumes)

    def _judge_data(self, disk: Disk, volumes: tuple[DiscoveredVolume, ...]) -> Answer:
        # An empty disk is listed, too, as itself without a name.
        held = [v for v in volumes if v.parent == disk.name or (v.id == disk.name and v.name)]
        names = sorted({v.partition_label or v.label or v.name for v in held} - {"", "gpt", "dos"})
        is_consented = self.node.hostname in self.world.options.consented_disks
        if held and not is_consented:
            return Blocked(
                f"disk of {self.node.hostname} holds data: {describe_disk(disk)} has "
                f"{', '.join(names) or 'partitions'}",
                f"installing wipes it; allow that with --consent-disk {self.node.hostname}, "
                f"or choose another disk at {self.node.position}",
            )
        self.world.sightings.note(self.node.hostname, "maintenance")
        return Satisfied(f"maintenance, install disk {describe_disk(disk)}")
