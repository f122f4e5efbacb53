"""Gate: at the end, everything is as it should be, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied
from lifecycle.gates.nodes_ready import NodesAreReady
from lifecycle.world import World
from lifecycle.world.flux_status import State
from lifecycle.world.snapshot import take_snapshot

__all__ = ["ClusterIsHealthy"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ClusterIsHealthy:
    """Nodes, every component that is not accepted as broken, and what was held until now."""

    world: World
    skipped: frozenset[str]
    after: tuple[str, ...] = ()
    name: str = "cluster-is-healthy"
    title: str = "Check the whole cluster"
    patience: Patience = Patience(stall=timedelta(minutes=25), deadline=timedelta(hours=1))

    async def probe(self) -> Answer:
        """Look at nodes, then at every component."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        nodes = await NodesAreReady(self.world).probe()
        if not isinstance(nodes, Satisfied):
            return nodes
        snapshot = await take_snapshot(mirror)
        components = [
            component
            for component in self.world.inventory.components
            if component.name not in self.skipped and not component.suspend
        ]
        commit = self.world.repository.commit
        judged = {c.name: snapshot.judge(c, commit=commit) for c in components}
        failed = [f"{n}: {r.message}" for n, r in judged.items() if r.state is State.FAILED]
        if failed:
            return Blocked(
                f"component failed: {failed[0]}",
                "see flux get all -A --status-selector ready=false",
            )
        waiting = [f"{name}: {r.message}" for name, r in judged.items() if not r.is_ready]
        if waiting:
            good = len(judged) - len(waiting)
            return Needed(f"{good} of {len(judged)} ready; {'; '.join(waiting[:_SHOWN])}")
        if unready := snapshot.list_unready_databases():
            return Needed(f"{len(judged)} components ready; {'; '.join(unready[:_SHOWN])}")
        told = f"{len(judged)} components ready{snapshot.tell_empty_restores()}"
        return Satisfied(f"{nodes.evidence}; {told}")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)
