"""What the API servers of one cluster suffer, by name, and how each of them is just now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from lab.clock import LabClock
from lab.vital import end_tasks

__all__ = ["LATE_S", "STALE_API", "WATCH_S", "ApiFault", "ApiFaults", "Health", "State"]

# Simulated seconds: a disk that etcd waits for; how long a watch lives that does not live long.
LATE_S, WATCH_S = 1.0, 5.0
# What metrics-server adds, the aggregated API that most clusters have.
STALE_API = ("metrics.k8s.io", "v1beta1")
# Simulated seconds. An election of etcd takes its timeout (1 s, as Talos leaves it) and a bit.
_ELECTION_S, _ELECTED_S = 2.0, 13.0
# A rollout of the static pod: what is under way ends, the process is gone, the next one starts.
_ENDING_S, _AWAY_S, _STARTING_S, _SERVING_S = 3.0, 8.0, 6.0, 120.0


class ApiFault(StrEnum):
    """A switch on an API server; its target is a control plane, or nothing for all of them."""

    SLOW = "api-slow"
    """Every answer is late."""
    THROTTLED = "api-throttled"
    """Requests are refused with 429, before anything is done."""
    CACHE_COLD = "api-cache-cold"
    """Lists and watches are refused with 429: the cache that they are served from is not filled."""
    LEADER_CHANGED = "api-leader-changed"
    """Etcd elects a leader again and again; requests fail meanwhile."""
    ETCD_TIMEOUT = "api-etcd-timeout"
    """Etcd does not answer."""
    RESTARTING = "api-restarting"
    """The process ends and is started, again and again."""
    WATCH_CUT = "api-watch-cut"
    """Watches end in the middle of a line."""
    WATCH_GONE = "api-watch-gone"
    """Watches end with 410."""
    RESET = "api-reset"
    """Connections are reset, before what was asked is done or after it."""
    HANGING = "api-hanging"
    """Connections are taken, and nothing is answered."""
    AGGREGATED_DOWN = "api-aggregated-down"
    """A service that extends the API does not answer: discovery is incomplete."""


class State(Enum):
    """What a process does."""

    SERVING = "serving"
    ENDING = "ending"
    AWAY = "away"
    STARTING = "starting"


# Without an answer of etcd, or of its own, an API server takes nobody's Lease.
_TAKES_NO_LEASE = (ApiFault.ETCD_TIMEOUT, ApiFault.HANGING)
_BEST_FIRST = (State.SERVING, State.ENDING, State.STARTING, State.AWAY)


class Health:
    """How one API server is."""

    def __init__(self, clock: LabClock) -> None:
        self.clock = clock
        self.state = State.SERVING
        self._faults: frozenset[ApiFault] = frozenset()
        self._elections = 0.0  # when the first one began
        self._changed = asyncio.Event()

    def set(self, faults: frozenset[ApiFault]) -> None:
        """Suffer these from now on, and no others."""
        if ApiFault.LEADER_CHANGED not in self._faults:
            self._elections = self.clock.elapsed_s()
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    def has(self, fault: ApiFault) -> bool:
        """Tell whether it suffers from a fault at this moment."""
        if fault is ApiFault.LEADER_CHANGED and fault in self._faults:
            since = self.clock.elapsed_s() - self._elections
            return since % (_ELECTION_S + _ELECTED_S) < _ELECTION_S
        return fault in self._faults

    async def wait_without(self, fault: ApiFault) -> None:
        """Return once a fault is off."""
        while fault in self._faults:
            await self._changed.wait()

    async def wait_for(self, *faults: ApiFault) -> ApiFault:
        """Return the first of some faults once it is on."""
        while True:
            for fault in faults:
                if fault in self._faults:
                    return fault
            await self._changed.wait()


@dataclass(slots=True)
class _Server:
    health: Health
    hush: Callable[[], Coroutine[None, None, None]]
    resume: Callable[[], Coroutine[None, None, None]]
    restarting: asyncio.Task[None] | None = None


@dataclass(slots=True)
class ApiFaults:
    """What is switched on in one cluster, and the servers that it strikes."""

    clock: LabClock
    _on: dict[tuple[ApiFault, str], None] = field(default_factory=dict)
    _servers: dict[str, _Server] = field(default_factory=dict)
    _without_etcd: set[str] = field(default_factory=set)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many servers there are."""
        return len(self._servers)

    @property
    def names(self) -> tuple[str, ...]:
        """Whose servers there are."""
        return tuple(self._servers)

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing is wrong with any server."""
        is_restarting = any(server.restarting for server in self._servers.values())
        return not (self._on or self._without_etcd or is_restarting)

    def list_on(self, name: str) -> frozenset[ApiFault]:
        """Return the faults that are switched on for one server."""
        return frozenset(fault for fault, target in self._on if target in ("", name))

    def strikes_all(self, fault: ApiFault) -> bool:
        """Tell whether every server suffers from a fault at this moment."""
        servers = self._servers.values()
        return bool(servers) and all(server.health.has(fault) for server in servers)

    def find_state(self) -> State:
        """Return what the server does that is best off."""
        states = {server.health.state for server in self._servers.values()}
        return next((state for state in _BEST_FIRST if state in states), State.SERVING)

    def list_deaf(self) -> frozenset[str]:
        """Name the servers that take no Leases; none where no other one does."""
        deaf = {
            name
            for name, server in self._servers.items()
            if any(server.health.has(fault) for fault in _TAKES_NO_LEASE)
        }
        return frozenset(deaf) if len(deaf) < len(self._servers) else frozenset()

    def listen(self, then: Callable[[], None]) -> None:
        """Tell somebody of each change."""
        self._listeners.append(then)

    def switch(self, fault: ApiFault, target: str, *, on: bool) -> None:
        """Turn a fault of a control plane on or off; of all of them without a target."""
        if on:
            self._on[fault, target] = None
        else:
            self._on.pop((fault, target), None)
        for name in self._servers:
            self._settle(name)

    def set_etcd(self, name: str, *, answers: bool) -> None:
        """Hear whether etcd answers a server; it suffers without as under `ETCD_TIMEOUT`."""
        if answers:
            self._without_etcd.discard(name)
        else:
            self._without_etcd.add(name)
        if name in self._servers:
            self._settle(name)

    def add(
        self,
        name: str,
        health: Health,
        hush: Callable[[], Coroutine[None, None, None]],
        resume: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        """Strike a server, too, which `hush` and `resume` take away and bring back."""
        self._servers[name] = _Server(health, hush, resume)
        self._settle(name)

    async def remove(self, name: str) -> None:
        """Strike a server no more: its machine is down."""
        self._without_etcd.discard(name)
        server = self._servers.pop(name, None)
        if server is not None:
            await end_tasks(server.restarting)

    def _settle(self, name: str) -> None:
        server = self._servers[name]
        faults = self.list_on(name)
        if name in self._without_etcd:
            faults |= {ApiFault.ETCD_TIMEOUT}
        server.health.set(faults)
        if ApiFault.RESTARTING in faults and server.restarting is None:
            server.restarting = asyncio.create_task(
                self._restart(server), name=f"lab kubernetes: restarts of {name}"
            )
        for then in self._listeners:
            then()

    async def _restart(self, server: _Server) -> None:
        """Restart it until the fault is over; it always ends serving."""
        health, pause = server.health, self.clock.pause
        while health.has(ApiFault.RESTARTING):
            health.state = State.ENDING
            await pause(_ENDING_S)
            health.state = State.AWAY
            await server.hush()
            await pause(_AWAY_S)
            health.state = State.STARTING
            await server.resume()
            await pause(_STARTING_S)
            health.state = State.SERVING
            await pause(_SERVING_S)
        server.restarting = None
