"""Step: begin etcd on one control plane, once in the cluster's life."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from inventory import Node
from lifecycle.drivers.talosctl import EtcdMember, Failure, TalosctlError
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied, Unknown
from lifecycle.errors import PermanentError, TransientError
from lifecycle.world import World

__all__ = ["BootstrapEtcd"]

_HINT = (
    "look at: talosctl -n {address} service etcd; talosctl -n {address} list /var/lib/etcd; "
    "talosctl -n {address} etcd members"
)
_DATA_FOLDER = "/var/lib/etcd"
# A service is `Preparing` once its volumes are mounted, and a control plane that has never been
# bootstrapped stays so (Talos' service_runner.go and etcd.go). Before it, an absent data
# directory says nothing: the disk that holds it may not be mounted yet.
_WAITS_FOR_BOOTSTRAP = "Preparing"


@dataclass(frozen=True, slots=True)
class BootstrapEtcd:
    """Never happens twice: two bootstraps make two clusters, and no server stops the second.

    Safe to continue after a kill or a power cut, because only empty data directories on every
    control plane, each seen while its etcd waits for a bootstrap, allow the act; the intent is
    in the journal, the act always goes to the same node (the first that talconfig lists), and
    that node refuses a second bootstrap by its data directory.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "bootstrap-etcd"
    title: str = "Bootstrap etcd"
    patience: Patience = Patience(
        stall=timedelta(minutes=10), deadline=timedelta(minutes=20), poll=timedelta(seconds=1)
    )

    @property
    def warning(self) -> str:
        """Shown before the confirmation."""
        return f"etcd begins on {self.world.first_control_plane.hostname}, once"

    @property
    def hint(self) -> str:
        """What to look at when etcd's state stays open."""
        return self._hint(self.world.first_control_plane)

    async def probe(self) -> Answer:
        """Ask every control plane; one that cannot be asked leaves the answer open.

        The first one alone is enough when it knows members, as it does once etcd has begun.
        """
        nodes = self.world.talos.control_planes
        early = nodes[:1] if self.world.was_attempted(self.name) else ()
        looks = [await self._look_at(node) for node in early]
        if not any(isinstance(look, tuple) and look for look in looks):
            late = nodes[len(early) :]
            looks += await asyncio.gather(*(self._look_at(node) for node in late))
        members = next((look for look in looks if isinstance(look, tuple) and look), ())
        if members:
            return self._judge_members(members)
        unseen = [
            f"{node.hostname}: {look}"
            for node, look in zip(nodes, looks, strict=True)
            if isinstance(look, str)
        ]
        if unseen:
            return Unknown(f"cannot rule out that etcd has data: {'; '.join(unseen)}")
        return Needed("no control plane has an etcd member")

    async def has_happened(self) -> Answer:
        """The same look: members mean yes, empty data directories everywhere no."""
        return await self.probe()

    async def apply(self) -> None:
        """Bootstrap on the first control plane."""
        node = self.world.first_control_plane
        try:
            await self.world.talosctl.bootstrap(node.address)
        except TalosctlError as error:
            if error.failure is Failure.ALREADY_EXISTS:
                # Its data directory is not empty: perhaps our own lost answer. The members say.
                raise TransientError(
                    error.message, step=self.name, hint=self._hint(node)
                ) from error
            if error.failure.is_retryable:
                raise TransientError(error.message, step=self.name) from error
            raise PermanentError(error.message, step=self.name, hint=self._hint(node)) from error

    async def _look_at(self, node: Node) -> tuple[EtcdMember, ...] | str:
        """Return the members that a node knows, () when it certainly has none, or why unseen."""
        try:
            state = await self.world.talosctl.service_state(node.address, "etcd")
            if state == "Running":
                return await self._list_members(node)
            if state != _WAITS_FOR_BOOTSTRAP:
                return f"etcd is {state.lower()}"
            held = await self._list_data(node)
        except TalosctlError as error:
            return _describe(error)
        return "etcd holds data and does not run yet" if held else ()

    async def _list_members(self, node: Node) -> tuple[EtcdMember, ...] | str:
        try:
            members = await self.world.talosctl.etcd_members(node.address)
        except TalosctlError as error:
            if error.failure is Failure.NOT_READY:
                return "etcd runs and does not answer, as it does while members are missing"
            raise
        return members or "etcd runs and lists no members"

    async def _list_data(self, node: Node) -> tuple[str, ...]:
        """Return what is in the node's data directory; nothing when there is no directory."""
        try:
            return await self.world.talosctl.list_folder(node.address, _DATA_FOLDER)
        except TalosctlError as error:
            if error.failure is Failure.NOT_FOUND:
                return ()
            raise

    def _judge_members(self, members: tuple[EtcdMember, ...]) -> Answer:
        declared = {node.hostname for node in self.world.talos.control_planes}
        foreign = [member.hostname for member in members if member.hostname not in declared]
        if foreign:
            return Blocked(
                f"etcd has members that talconfig does not declare: `{', '.join(foreign)}`",
                self._hint(self.world.first_control_plane),
            )
        names = ", ".join(sorted(member.hostname for member in members))
        return Satisfied(f"etcd has {len(members)} member(s): {names}")

    def _hint(self, node: Node) -> str:
        return _HINT.format(address=node.address)


def _describe(error: TalosctlError) -> str:
    if error.failure is Failure.NOT_FOUND:
        return "etcd is not there yet"  # its service comes late in the boot
    return error.message if error.failure is Failure.OTHER else str(error.failure)
