"""A cluster of the lab with an API server, and runs that want its Lease."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from lab.kubernetes.pki import issue_certificate
from lab.ports import KubernetesPki
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Event
from lifecycle.errors import ClusterLockedError
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.holder import Holder
from lifecycle.world.lease import LEASE, ClusterLease, Held, LeaseView

__all__ = ["Contender", "MovableClock", "write_kubeconfig"]

_TIMEOUT_S = 10.0


@dataclass(slots=True)
class MovableClock:
    """The system's time, moved by `ahead`; sleeps are short."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """Wall time and what the clock is ahead of it."""
        return datetime.now(UTC) + self.ahead

    def monotonic_s(self) -> float:
        """Seconds of the event loop."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Sleep a moment, whatever was asked for."""
        await asyncio.sleep(min(seconds, 0.01))


@dataclass(slots=True)
class Contender:
    """A run that wants the Lease, on a machine of its own unless `space` says otherwise."""

    access: ClusterAccess
    holder: Holder
    clock: MovableClock = field(default_factory=MovableClock)
    space: str = ""
    events: list[Event] = field(default_factory=list)
    lost: list[ClusterLockedError] = field(default_factory=list)
    lease: ClusterLease = field(init=False)

    def __post_init__(self) -> None:
        """Make its view of the Lease."""
        self.lease = ClusterLease(
            self.access,
            cluster="home",
            holder=self.holder,
            clock=self.clock,
            listener=self.events.append,
            space=self.space or f"space of {self.holder.host}",
        )

    async def see(self, wanted: Callable[[LeaseView], bool]) -> LeaseView:
        """Wait until the Lease is seen as wanted."""
        async with asyncio.timeout(_TIMEOUT_S):
            while not wanted(seen := await self.lease.look()):  # noqa: ASYNC110 (no event tells)
                await asyncio.sleep(0.005)
        return seen

    async def win(self) -> None:
        """Wait until this run holds it."""
        await self.see(lambda seen: isinstance(seen, Held))

    async def spec(self) -> JsonObject:
        """Return the Lease's spec as the API has it."""
        return (await (await self.access.api()).get(LEASE)).spec

    def heard(self) -> list[str]:
        """Return the names of the events that were told."""
        return [event.name.value for event in self.events]


def write_kubeconfig(pki: KubernetesPki, url: str, folder: Path) -> ClusterAccess:
    """Write an administrator's kubeconfig, and return access by it."""
    certificate, key = issue_certificate(pki, "admin", ("system:masters",))
    host = url.removeprefix("https://").partition(":")[0]

    def encode(content: bytes) -> str:
        return base64.b64encode(content).decode()

    cluster = {"server": url, "certificate-authority-data": encode(pki.ca_crt)}
    user = {"client-certificate-data": encode(certificate), "client-key-data": encode(key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return ClusterAccess(path, (host,), AddressBook({}))
