"""What the cluster's own clients meet when the API fails: controllers, kubelets, Flux.

They suffer what every API server suffers: where one of several is well, they are taken to reach
that one. While nothing is wrong this costs a look at one attribute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from lab.clock import LabClock
from lab.kubernetes import refusals
from lab.kubernetes.ailing import LATE_S, STALE_API, WATCH_S, ApiFault, ApiFaults, State
from lab.kubernetes.refusals import Refusal, SufferedError
from lab.kubernetes.waiting import FLUX_ELECTION, MANAGER_ELECTION, Leadership, Sight
from lab.vital import begin_vital, end_tasks

__all__ = ["Inside", "Insider", "Verb"]

# Simulated seconds between two looks at an API that fails.
_LOOK_S = 0.5
# client-go's rest/with_retry.go: how often a refusal with Retry-After is borne.
_MOST_TRIES = 10
_STATES = {
    State.ENDING: refusals.ENDING,
    State.AWAY: refusals.AWAY,
    State.STARTING: refusals.STARTING,
}


class Insider(Enum):
    """Who asks from inside; API priority and fairness has a level for each."""

    SERVER = "kube-apiserver"
    """The API server itself, and Talos: exempt, and never without an answer of their own."""
    MANAGER = "kube-controller-manager"
    """Also kube-scheduler: they lead by a Lease, at the level workload-high."""
    KUBELET = "kubelet"
    """At the levels system and node-high."""
    WORKLOAD = "workload"
    """Flux and operators: service accounts, at the level workload-low."""


class Verb(Enum):
    """What is asked for."""

    READ = "read"
    CREATE = "create"
    CHANGE = "change"


_WITHOUT_ETCD = {
    Verb.READ: refusals.ETCD_READ,
    Verb.CREATE: refusals.ETCD_CREATE,
    Verb.CHANGE: refusals.ETCD_WRITE,
}


class Inside:
    """The API as it is inside of one cluster."""

    def __init__(self, clock: LabClock, faults: ApiFaults | None) -> None:
        self._clock = clock
        self._faults = faults
        self._sight = Sight()
        self._listeners: dict[Callable[[], None], None] = {}
        self._watchman: asyncio.Task[None] | None = None
        self._home = ""  # the control plane whose controller manager leads
        self.manager = Leadership(MANAGER_ELECTION)
        self.flux = Leadership(FLUX_ELECTION)
        if faults is not None:
            faults.listen(self._begin)

    @property
    def is_well(self) -> bool:
        """Tell whether nothing is wrong, and nothing follows from what was."""
        return self._watchman is None

    @property
    def sees(self) -> bool:
        """Tell whether informers hear of changes."""
        return self.is_well or (
            self._sight.sees
            and not self._has(ApiFault.ETCD_TIMEOUT)
            and not self._has(ApiFault.HANGING)
        )

    @property
    def deaf(self) -> frozenset[str]:
        """Name the control planes whose API server takes no Leases, while another one does."""
        return frozenset() if self._faults is None or self.is_well else self._faults.list_deaf()

    def leads(self, who: Insider) -> bool:
        """Tell whether a client that acts by a Lease holds it."""
        return who is not Insider.MANAGER or self.manager.holds

    @property
    def late_s(self) -> float:
        """How late each answer is."""
        return LATE_S if not self.is_well and self._has(ApiFault.SLOW) else 0.0

    def list_stale(self) -> tuple[str, ...]:
        """Return the groups and versions that discovery cannot tell of."""
        if self._faults is None or not self._has(ApiFault.AGGREGATED_DOWN):
            return ()
        return ("/".join(STALE_API),)

    def listen(self, then: Callable[[], None]) -> Callable[[], None]:
        """Have somebody look again whenever something may have changed; returns how to end that."""
        self._listeners[then] = None
        return lambda: self._listeners.pop(then, None)

    def check(self, who: Insider) -> None:
        """Refuse a change that cannot be made now.

        Raises:
            SufferedError: with the words of whoever refuses.
        """
        if not self.is_well and (refusal := self._refuse(who, Verb.CHANGE)):
            raise SufferedError(refusal)

    async def meet(self, who: Insider, verb: Verb) -> None:
        """Let a request wait for its answer, as often as client-go tries.

        Raises:
            SufferedError: the last answer is a refusal.
        """
        if self.is_well:
            return
        await self._clock.pause(self.late_s)
        tries = 0
        while refusal := self._refuse(who, verb):
            await self._clock.pause(refusal.after_s)
            tries += 1
            if not refusal.retry_after_s or tries > _MOST_TRIES:
                raise SufferedError(refusal)
            await self._clock.pause(refusal.retry_after_s)

    async def meet_on(self, name: str, verb: Verb) -> None:
        """Let a request of a machine's own wait, which a control plane sends to its own server.

        Raises:
            SufferedError: the last answer is a refusal, or there is none.
        """
        if name in self.deaf:
            await self._clock.pause(refusals.HANGING.after_s)
            raise SufferedError(refusals.HANGING)
        await self.meet(Insider.KUBELET, verb)

    async def wait_for_sight(self) -> None:
        """Wait until informers hear of changes."""
        while not self.sees:
            await self._clock.pause(_LOOK_S)

    async def close(self) -> None:
        """Look no more."""
        watchman, self._watchman = self._watchman, None
        await end_tasks(watchman)

    def _has(self, fault: ApiFault) -> bool:
        return self._faults is not None and self._faults.strikes_all(fault)

    def _refuse(self, who: Insider, verb: Verb) -> Refusal | None:
        if self._faults is None or who is Insider.SERVER:
            return None
        if refusal := _STATES.get(self._faults.find_state()):
            return refusal
        if self._has(ApiFault.HANGING):
            return refusals.HANGING
        if who is Insider.WORKLOAD and self._has(ApiFault.THROTTLED):
            return refusals.THROTTLED
        if self._has(ApiFault.ETCD_TIMEOUT):
            return _WITHOUT_ETCD[verb]
        return refusals.LEADER_CHANGED if self._has(ApiFault.LEADER_CHANGED) else None

    def _begin(self) -> None:
        faults = self._faults
        if faults is None:
            return
        if self._watchman is None and not faults.is_quiet:
            now_s = self._clock.elapsed_s()
            self._sight = Sight(_since_s=now_s)
            for leader in (self.manager, self.flux):
                leader.begin(now_s)
            self._watchman = begin_vital(self._watch(faults), "clients inside Kubernetes")
        self._look(faults)
        self._tell()

    async def _watch(self, faults: ApiFaults) -> None:
        while True:
            before = (self._sight.sees, self.manager.ended, self.manager.holds, self.flux.holds)
            self._look(faults)
            after = (self._sight.sees, self.manager.ended, self.manager.holds, self.flux.holds)
            is_over = faults.is_quiet and all((after[0], *after[2:]))
            if is_over:
                self._watchman = None
            if before != after or is_over:
                self._tell()
            if is_over:
                return
            await self._clock.pause(_LOOK_S)

    def _look(self, faults: ApiFaults) -> None:
        now_s = self._clock.elapsed_s()
        is_there = faults.find_state() is State.SERVING
        self._sight.look(
            now_s,
            can_list=is_there
            and not (self._has(ApiFault.CACHE_COLD) or self._has(ApiFault.HANGING)),
            lasts_s=WATCH_S if self._has(ApiFault.WATCH_GONE) else 0.0,
        )
        for leader, who in ((self.manager, Insider.MANAGER), (self.flux, Insider.WORKLOAD)):
            # Several control planes have a controller manager each; Flux has one replica.
            has_others = who is Insider.MANAGER and faults.count > 1
            can_renew = self._refuse(who, Verb.CHANGE) is None
            if who is Insider.MANAGER:
                can_renew = can_renew and self._finds_server(faults)
            leader.look(now_s, can_renew=can_renew, has_others=has_others)

    def _finds_server(self, faults: ApiFaults) -> bool:
        """Tell whether the controller manager that leads, or wants to, is heard by its server.

        Talos has each ask the API server of its own machine, and no other one.
        """
        deaf, names = faults.list_deaf(), faults.names
        if self._home not in names:
            self._home = next(iter(names), "")
        if not self.manager.holds:
            self._home = next((name for name in names if name not in deaf), "")
        return self._home not in deaf

    def _tell(self) -> None:
        for then in tuple(self._listeners):
            then()
