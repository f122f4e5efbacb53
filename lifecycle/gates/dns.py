"""Gate: the cluster's DNS answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.kubernetes import ObjectRef
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.snapshot import describe_workload, is_workload_ready

__all__ = ["DnsAnswers"]

_COREDNS = ObjectRef("apps/v1", "Deployment", "coredns", "kube-system")


@dataclass(frozen=True, slots=True)
class DnsAnswers:
    """CoreDNS, which Talos installs, has a ready replica: Flux resolves its sources through it."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "dns-answers"
    title: str = "Wait for the cluster's DNS"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    async def probe(self) -> Answer:
        """Read the Deployment; a cluster whose config disables Talos' CoreDNS has none."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        deployments = await mirror.list(_COREDNS.api_version, _COREDNS.kind)
        live = next((item for item in deployments if item.ref == _COREDNS), None)
        if live is None:
            return Satisfied("no CoreDNS of Talos' own in this cluster")
        if not is_workload_ready(live):
            return Needed(f"coredns: {describe_workload(live)}")
        return Satisfied(f"coredns: {describe_workload(live)}")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)
