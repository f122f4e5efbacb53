"""Step: begin etcd on one control plane, once in the cluster's life."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from inventory import Node
from lifecycle.drivers.talosctl import EtcdMember, Failure, Service, TalosctlError
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied, Unknown
from lifecycle.errors import PermanentError, TransientError
from lifecycle.world import World

__all__ = ["BootstrapEtcd"]

# etcd's service exists before its data: `Preparing` counts as neither running nor healthy.
_HINT = "look at: talosctl -n {address} service etcd; talosctl -n {address} etcd members"


@dataclass(frozen=True, slots=True)
class BootstrapEtcd:
    """Never happens twice: two bootstraps make two clusters, and no server stops the second.

    Safe to continue after a kill, because every control plane is asked before the act, the
    intent is in the journal, the act always goes to the same node (the first that talconfig
    lists), and that node refuses a second bootstrap by its data directory.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "bootstrap-etcd"
    title: str = "Bootstrap etcd"
    patience: Patience = Patience(
        stall=timedelta(minutes=10), deadline=timedelta(minutes=20), poll=timedelta(seconds=2)
    )

    @property
    def warning(self) -> str:
        """Shown before the confirmation."""
        return f"etcd begins on {self.world.first_control_plane.hostname}, once"

    async def probe(self) -> Answer:
        """Ask every control plane; one that cannot be asked leaves the answer open.

        The first one alone is enough when it knows members.
        """
        nodes = self.world.talos.control_planes
        first = await self._look_at(nodes[0])
        if isinstance(first, tuple) and first:
            return self._judge_members(first)
        states = [first, *await asyncio.gather(*(self._look_at(node) for node in nodes[1:]))]
        members = next((state for state in states if isinstance(state, tuple)), ())
        if members:
            return self._judge_members(members)
        silent = [
            f"{node.hostname}: {state}"
            for node, state in zip(nodes, states, strict=True)
            if isinstance(state, str) and state
        ]
        if silent:
            return Unknown(f"cannot see etcd on every control plane: {'; '.join(silent)}")
        return Needed("no control plane has an etcd member")

    async def has_happened(self) -> Answer:
        """The same look: members mean yes; a running etcd without members is still starting."""
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
        """Return the members that a node knows, "" when it certainly has none, or why unseen."""
        try:
            services = await self.world.talosctl.services(node.address)
            etcd = next((service for service in services if service.name == "etcd"), None)
            if etcd is None or not _is_started(etcd):
                return ""
            return await self.world.talosctl.etcd_members(node.address)
        except TalosctlError as error:
            return str(error.failure)

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


def _is_started(service: Service) -> bool:
    return service.running
