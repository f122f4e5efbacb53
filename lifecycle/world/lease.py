"""At most one run a cluster, across machines: a Kubernetes Lease, as soon as there is an API.

The Lease is no change of the cluster that a plan would show: a run keeps it beside its steps,
and everything that changes the cluster through its API comes after it is held. Rules and field
names are those of coordination.k8s.io/v1 and of client-go's leader election.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lifecycle.clock import Clock
from lifecycle.drivers.documents import JsonObject, number_at, text_at
from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject, ObjectRef
from lifecycle.engine import Event, EventName, Listener
from lifecycle.errors import ApiError, ClusterLockedError, ConflictError
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.holder import Holder, find_process_space, is_process_alive

__all__ = [
    "LEASE",
    "RENEW_S",
    "ClusterLease",
    "Doubtful",
    "Free",
    "Held",
    "LeaseView",
    "Taken",
    "Unseen",
]

LEASE = ObjectRef("coordination.k8s.io/v1", "Lease", "talos-lifecycle", "kube-system")
_SPACE = "talos-lifecycle/process-space"
# Longer than a control plane takes to elect a new etcd leader; four tries fit in.
_DURATION = timedelta(seconds=60)
RENEW_S = 15.0
_POLL_S = 1.0
# A clock that runs ahead makes every lease look over: a living holder renews within this time.
_SIGN_OF_LIFE = timedelta(seconds=20)
_RELEASE_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Free:
    """Nobody holds it; `why` says how that was seen."""

    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """This run holds it."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Its time is over by our clock; it is watched for a sign of life before it is taken."""

    holder: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """Another run holds it; `error` says who."""

    error: ClusterLockedError


@dataclass(frozen=True, slots=True)
class Unseen:
    """The API does not show it now."""

    reason: str


LeaseView = Free | Held | Doubtful | Taken | Unseen
OnLost = Callable[[ClusterLockedError], None]


class ClusterLease:
    """The Lease of one cluster, as one run sees it.

    Args:
        access: The cluster's API.
        cluster: Its name, for people.
        holder: This run.
        clock: The run's time; leases are counted in wall time.
        listener: Hears `lock.acquired` and `lock.lost`.
        renew_s: Seconds of the run's own time between two renewals.
        space: Where pids mean something; this machine's by default.
    """

    def __init__(
        self,
        access: ClusterAccess,
        *,
        cluster: str,
        holder: Holder,
        clock: Clock,
        listener: Listener,
        renew_s: float = RENEW_S,
        space: str | None = None,
    ) -> None:
        self._access = access
        self._cluster = cluster
        self._holder = holder
        self._clock = clock
        self._listener = listener
        self._renew_s = renew_s
        self._space = find_process_space() if space is None else space
        self._seen: LeaseView = Unseen("not looked at yet")
        self._doubt = ("", datetime.min.replace(tzinfo=UTC))
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_kept(self) -> bool:
        """Tell whether a run keeps it; a plan only looks."""
        return self._keeper is not None

    async def look(self) -> LeaseView:
        """Say how it stands: what the keeper saw last, or without one what the API says."""
        if self._keeper is not None:
            if self._keeper.done():
                self._keeper.result()  # a bug of ours: raised here, where it is waited for
            return self._seen
        try:
            return self._judge(await (await self._access.api()).find(LEASE))
        except ApiError as error:
            return Unseen(error.message)

    @asynccontextmanager
    async def kept(self, on_lost: OnLost) -> AsyncIterator[None]:
        """Take it as soon as the API answers, renew it, and give it back at the end.

        `on_lost` is told when another run took it: nothing may be changed from then on.
        """
        self._keeper = asyncio.create_task(self._keep(on_lost), name="cluster lease")
        try:
            yield
        finally:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
            if isinstance(self._seen, Held):
                await self._release()

    async def _keep(self, on_lost: OnLost) -> None:
        while True:
            was_held = isinstance(self._seen, Held)
            try:
                seen = await self._advance(await self._access.api())
            except ApiError as error:
                # While the API is away nobody else can take it either: held stays held.
                seen = self._seen if was_held else Unseen(error.message)
            self._seen = seen
            if isinstance(seen, Held) and not was_held:
                self._tell(EventName.LOCK_ACQUIRED, str(self._holder))
            elif was_held and isinstance(seen, Taken):
                self._tell(EventName.LOCK_LOST, seen.error.holder)
                on_lost(seen.error)
                return
            await self._clock.sleep(self._renew_s if isinstance(seen, Held) else _POLL_S)

    async def _advance(self, api: Kubernetes) -> LeaseView:
        """Look, and take or renew it where that is right."""
        lease = await api.find(LEASE)
        seen = self._judge(lease)
        if not isinstance(seen, Free | Held):
            return seen
        try:
            await self._write(api, lease, holder=str(self._holder), duration=_DURATION)
        except ConflictError:
            # Somebody was faster, whoever that is: the next look says.
            return self._seen if isinstance(seen, Held) else Unseen("changed meanwhile")
        return Held()

    def _judge(self, lease: KubernetesObject | None) -> LeaseView:
        if lease is None:
            return Free("nobody has held it yet")
        text = text_at(lease.raw, "spec", "holderIdentity")
        if not text:
            return Free("it was given back")
        holder = Holder.parse(text)
        if holder and lease.annotations.get(_SPACE, "") == self._space:
            if holder == self._holder:
                return Held()
            if self._space and self._has_ended(holder):
                return Free(f"process {holder.pid}, which held it, has ended")
        return self._judge_time(lease, holder.describe() if holder else f"`{text}`")

    def _has_ended(self, holder: Holder) -> bool:
        """Tell whether a process of this machine is gone; one with our own pid was before us."""
        return holder.pid == self._holder.pid or not is_process_alive(holder.pid)

    def _judge_time(self, lease: KubernetesObject, holder: str) -> LeaseView:
        now = self._clock.now()
        renewed = _read_time(text_at(lease.raw, "spec", "renewTime"))
        duration = timedelta(seconds=number_at(lease.raw, "spec", "leaseDurationSeconds"))
        if now < renewed + duration:
            since = text_at(lease.raw, "spec", "acquireTime") or renewed.isoformat()
            return Taken(self._make_error(holder, since))
        if self._doubt[0] != lease.resource_version:
            self._doubt = (lease.resource_version, now)
        if now - self._doubt[1] < _SIGN_OF_LIFE:
            return Doubtful(holder, renewed)
        return Free(f"{holder} has not renewed it since {renewed:%Y-%m-%dT%H:%M:%SZ}")

    def _make_error(self, holder: str, since: str) -> ClusterLockedError:
        return ClusterLockedError(
            self._cluster,
            holder=holder,
            since=since,
            hint=(
                "wait for it to end, or stop it there with Ctrl-C; if its machine is gone, the "
                f"lease is over {_DURATION.total_seconds():.0f} s after its last renewal"
            ),
        )

    async def _write(
        self, api: Kubernetes, lease: KubernetesObject | None, *, holder: str, duration: timedelta
    ) -> None:
        """Create or replace it at exactly the version that was judged."""
        now = _format_time(self._clock.now())
        spec = dict(lease.spec) if lease else {}
        if spec.get("holderIdentity") != holder:
            spec["leaseTransitions"] = number_at(spec, "leaseTransitions") + bool(lease and holder)
            spec["acquireTime"] = now
        spec["holderIdentity"] = holder
        spec["leaseDurationSeconds"] = int(duration.total_seconds())
        spec["renewTime"] = now
        metadata: dict[str, str | JsonObject] = {
            "name": LEASE.name,
            "namespace": LEASE.namespace,
            "annotations": {_SPACE: self._space},
        }
        document: dict[str, str | JsonObject] = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }
        if lease is None:
            await api.create(document)
        else:
            metadata["resourceVersion"] = lease.resource_version
            await api.replace(document)

    async def _release(self) -> None:
        """Give it back, as client-go does; where that fails, its time will end."""
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT_S):
                api = await self._access.api()
                lease = await api.find(LEASE)
                if lease is not None and isinstance(self._judge(lease), Held):
                    await self._write(api, lease, holder="", duration=timedelta(seconds=1))
        self._seen = Unseen("given back")

    def _tell(self, name: EventName, holder: str) -> None:
        fields = {"lock": f"{LEASE.namespace}/{LEASE.name}", "holder": holder}
        self._listener(Event(name, self._clock.now(), "", fields))


def _read_time(text: str) -> datetime:
    """Read a MicroTime; one that cannot be read is long ago."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
