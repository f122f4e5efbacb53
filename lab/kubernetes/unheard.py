"""Kubelets of control planes whose own API server takes no Leases, while another one does.

A kubelet asks the API by KubePrism, which prefers what answers a dial soonest: the API server of
its own machine, also one that answers nothing else (siderolabs/go-loadbalancer dials only). So the
node is missed after kube-controller-manager's grace, and heard of again when its server is well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFaults
from lab.kubernetes.durations import NODE_GRACE_S
from lab.ports import NodeFacts
from lab.vital import begin_vital, end_tasks

__all__ = ["Unheard"]

# Simulated seconds between two looks while an API server takes no Leases.
_LOOK_S = 1.0


class Unheard:
    """Counts how long each is not heard; `lose` a node by name, `hear` it again by its facts."""

    def __init__(
        self,
        clock: LabClock,
        faults: ApiFaults,
        lose: Callable[[str], NodeFacts | None],
        hear: Callable[[NodeFacts], None],
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._lose = lose
        self._hear = hear
        self._since: dict[str, float] = {}
        self._lost: dict[str, NodeFacts] = {}
        self._watchman: asyncio.Task[None] | None = None
        faults.listen(self._begin)

    def keep(self, facts: NodeFacts) -> bool:
        """Take what a kubelet would tell; False when it is heard, and can tell itself."""
        if facts.name not in self._lost:
            return False
        self._lost[facts.name] = facts
        return True

    def forget(self, name: str) -> None:
        """Hear that a kubelet has stopped."""
        self._lost.pop(name, None)
        self._since.pop(name, None)

    def look(self, now_s: float) -> None:
        """Go on until now, in simulated seconds."""
        deaf = self._faults.list_deaf()
        for name in deaf:
            since_s = self._since.setdefault(name, now_s)
            is_due = now_s - since_s >= NODE_GRACE_S and name not in self._lost
            if is_due and (facts := self._lose(name)) is not None:
                self._lost[name] = facts
        for name in [name for name in self._since if name not in deaf]:
            del self._since[name]
            if (known := self._lost.pop(name, None)) is not None:
                self._hear(known)

    async def close(self) -> None:
        """Look no more."""
        watchman, self._watchman = self._watchman, None
        await end_tasks(watchman)

    def _begin(self) -> None:
        if self._watchman is None and self._faults.list_deaf():
            self._watchman = begin_vital(self._watch(), "kubelets that are not heard")

    async def _watch(self) -> None:
        while True:
            self.look(self._clock.elapsed_s())
            if not self._since and not self._lost:
                self._watchman = None
                return
            await self._clock.pause(_LOOK_S)
