"""Gate: etcd is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World

__all__ = ["EtcdIsHealthy"]


@dataclass(frozen=True, slots=True)
class EtcdIsHealthy:
    """Every declared control plane is a voting member, and none else."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "etcd-is-healthy"
    title: str = "Wait for etcd on every control plane"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=40))

    @property
    def hint(self) -> str:
        """What to look at when members stay missing."""
        nodes = ",".join(node.address for node in self.world.talos.control_planes)
        return f"look at: talosctl -n {nodes} etcd status; talosctl -n {nodes} service etcd"

    async def probe(self) -> Answer:
        """Compare the members that one control plane knows with talconfig."""
        members = await self.world.talosctl.etcd_members(self.world.first_control_plane.address)
        declared = {node.hostname for node in self.world.talos.control_planes}
        voting = {member.hostname for member in members if not member.is_learner}
        learners = {member.hostname for member in members} & declared - voting
        missing = declared - voting - learners
        if missing or learners:
            kinds = ((missing, "missing"), (learners, "only a learner"))
            told = [f"{', '.join(sorted(names))} {what}" for names, what in kinds if names]
            return Needed(f"{len(declared & voting)} of {len(declared)}: {'; '.join(told)}")
        return Satisfied(f"{len(voting)} of {len(declared)} members")
