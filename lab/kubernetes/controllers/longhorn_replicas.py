"""Longhorn's replicas: placed on nodes of their own, failed with them, rebuilt by their bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.kubernetes.controllers.children import list_children
from lab.kubernetes.controllers.longhorn_disks import Disk, find_disks, keep_disks, read_size
from lab.kubernetes.controllers.longhorn_evictions import is_leaving, mark_evictions
from lab.kubernetes.controllers.longhorn_managers import (
    API,
    REPLICAS,
    VOLUMES,
    describe,
    is_cordoned,
    is_good,
    read_setting,
)
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import REBUILD_BYTES_PER_S, REPLENISH_S
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    dig,
    grow,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)
from lab.kubernetes.writing import random_suffix

__all__ = ["Kept", "Replicas"]

_BEST_EFFORT, _STRICT_LOCAL = "best-effort", "strict-local"


@dataclass(frozen=True, slots=True)
class Kept:
    """How a volume's replicas stand.

    Attributes:
        good: How many hold the whole of it.
        refusal: Why replicas that lack are not placed; empty when all are.
    """

    good: int = 0
    refusal: str = ""


class Replicas:
    """The replicas of every volume, in whatever state its nodes are."""

    def __init__(self, world: World, again: Callable[[Place], None]) -> None:
        self._world = world
        self._again = again  # has a volume judged anew

    def keep(self, volume: Object, usable: frozenset[str], node: str) -> Kept:
        """Place, start, fail, rebuild and evict replicas of a volume that `node` uses, if any.

        While nothing is attached, replicas rest: none fails, and none is rebuilt, but those that
        Longhorn evicts, for which it attaches the volume itself.
        """
        if not self._world.api.serves(API, "Replica"):
            return Kept()
        is_evicting = mark_evictions(self._world, volume, self._children(volume), usable)
        refusal = self._place(volume, usable, node)
        replicas = self._children(volume)
        if not node and not (is_evicting and not refusal):
            for replica in replicas:
                self._world.forget(f"rebuild/{uid_of(replica)}")
                self._change(replica, {}, state="stopped")
            return Kept(refusal=refusal)
        if not any(is_good(replica) for replica in replicas):
            self._start_or_salvage(replicas, usable)
        self._fail(volume, usable)
        return Kept(self._rebuild(volume, usable, node), refusal)

    def _children(self, volume: Object) -> list[Object]:
        return list_children(self._world, volume, REPLICAS)

    def _place(self, volume: Object, usable: frozenset[str], node: str) -> str:
        """Make the replicas that lack, where their disks take them; returns why one could not be.

        With data locality the first one is for the node that uses the volume, and waits for that.
        """
        replicas, locality = self._children(volume), text(volume, "spec", "dataLocality")
        if locality in {_BEST_EFFORT, _STRICT_LOCAL} and not node and not replicas:
            return ""
        counted = [r for r in replicas if self._may_return(r, usable) and not is_leaving(r)]
        missing = _wanted(volume) - len(counted)
        taken = Counter(text(replica, "spec", "nodeID") for replica in replicas)
        is_alone = locality == _BEST_EFFORT and bool(node) and not taken[node]
        namespace = namespace_of(volume)
        is_soft = read_setting(self._world, namespace, "replica-soft-anti-affinity", "false")
        for _ in range(max(missing, int(is_alone))):
            occupied = () if is_soft == "true" else +taken
            disks, reason = find_disks(self._world, volume, usable, occupied)
            local = [disk for disk in disks if disk.node == node]
            if locality == _STRICT_LOCAL or (is_alone and (local or missing <= 0)):
                disks = local
            if not disks:
                return reason if missing > 0 else ""
            disk = min(disks, key=lambda d: (taken[d.node], d.scheduled - d.available, d.node))
            taken[disk.node] += 1
            is_alone = is_alone and not taken[node]
            self._world.plant(_make_replica(volume, disk))
            keep_disks(self._world, namespace, disk.node)
        return ""

    def _may_return(self, replica: Object, usable: frozenset[str]) -> bool:
        """Tell whether a replica counts still: good, or failed too lately to be replaced."""
        failed = text(replica, "spec", "failedAt")
        if not failed or text(replica, "spec", "nodeID") in usable:
            return True
        since = self._world.clock.now() - datetime.fromisoformat(failed)
        return since.total_seconds() < self._patience(namespace_of(replica))

    def _patience(self, namespace: str) -> float:
        name = "replica-replenishment-wait-interval"
        written = read_setting(self._world, namespace, name, "")
        return float(written) if written.isdigit() else REPLENISH_S

    def _fail(self, volume: Object, usable: frozenset[str]) -> None:
        """Let fail what lies on nodes that are not up; while nothing is good, only what was."""
        replicas = self._children(volume)
        is_any_good = any(is_good(replica) for replica in replicas)
        for replica in replicas:
            if text(replica, "spec", "nodeID") in usable:
                continue
            self._world.forget(f"rebuild/{uid_of(replica)}")
            if text(replica, "spec", "failedAt"):
                if self._may_return(replica, usable):
                    self._look_later(volume, replica)
            elif is_any_good:
                self._change(replica, {"failedAt": self._world.api.now()}, state="error")
                self._look_later(volume, replica)

    def _look_later(self, volume: Object, replica: Object) -> None:
        place = Place(VOLUMES, namespace_of(volume), name_of(volume))
        # Seconds are counted whole in `failedAt`.
        after_s = self._patience(namespace_of(volume)) + 1.0
        key = f"replenish/{uid_of(replica)}"
        self._world.expire(key, after_s, lambda: self._again(place))

    def _start_or_salvage(self, replicas: list[Object], usable: frozenset[str]) -> None:
        """Start a new volume's replicas, or take the one that failed last for good.

        What was being rebuilt when the last good one went is not salvaged.
        """
        here = [item for item in replicas if text(item, "spec", "nodeID") in usable]
        now = self._world.api.now()
        whole = [item for item in here if text(item, "spec", "healthyAt")]
        if not any(text(item, "spec", "healthyAt") for item in replicas):
            for replica in here:
                self._change(replica, {"healthyAt": now, "failedAt": ""})
        elif whole:
            last = max(whole, key=lambda item: text(item, "spec", "failedAt"))
            self._change(last, {"failedAt": ""})

    def _rebuild(self, volume: Object, usable: frozenset[str], node: str) -> int:
        """Rebuild what is not good as long as something is; count what is good."""
        replicas = self._children(volume)
        good = [replica for replica in replicas if is_good(replica)]
        staying = [replica for replica in good if not is_leaving(replica)]
        others = [replica for replica in replicas if not is_good(replica)]
        here = [replica for replica in others if text(replica, "spec", "nodeID") in usable]
        if text(volume, "spec", "dataLocality") == _BEST_EFFORT:
            here.sort(key=lambda replica: text(replica, "spec", "nodeID") != node)
        else:
            node = ""  # no node is better than others
        has_local = any(text(replica, "spec", "nodeID") == node for replica in staying)
        lacking = _wanted(volume) - len(staying)
        for replica in here[: max(lacking, int(bool(node) and not has_local))] if good else ():
            self._begin_rebuild(volume, replica)
        if lacking <= 0:
            self._clean_up(volume, replicas, staying, node)
        for replica in good:
            self._change(replica, {}, state="running")
        return len(good)

    def _clean_up(
        self, volume: Object, replicas: Sequence[Object], staying: Sequence[Object], node: str
    ) -> None:
        """Delete what a volume has no use for: failed ones, evicted ones, and one too many."""
        has_local = any(text(replica, "spec", "nodeID") == node for replica in staying)
        for replica in replicas:
            is_coming = text(replica, "spec", "nodeID") == node and not has_local
            if is_leaving(replica) or not (is_good(replica) or is_coming):
                self._delete(replica)
        if len(staying) > _wanted(volume):
            spare = [item for item in staying if text(item, "spec", "nodeID") != node or not node]
            cordoned = [i for i in spare if is_cordoned(self._world, text(i, "spec", "nodeID"))]
            self._delete(min(cordoned or spare, key=name_of))

    def _delete(self, replica: Object) -> None:
        self._world.forget(f"rebuild/{uid_of(replica)}")
        self._world.delete(Place(REPLICAS, namespace_of(replica), name_of(replica)))
        keep_disks(self._world, namespace_of(replica), text(replica, "spec", "nodeID"))

    def _begin_rebuild(self, volume: Object, replica: Object) -> None:
        self._change(replica, {"healthyAt": "", "failedAt": ""})
        self._world.forget(f"replenish/{uid_of(replica)}")
        place = Place(REPLICAS, namespace_of(replica), name_of(replica))
        back = Place(VOLUMES, namespace_of(volume), name_of(volume))

        def finish() -> None:
            now = self._world.api.now()
            self._world.edit(place, lambda obj: grow(obj, "spec").update(healthyAt=now))
            self._again(back)

        self._world.later(
            f"rebuild/{uid_of(replica)}",
            _count_bytes(volume) / REBUILD_BYTES_PER_S,
            f"replica {place.name} rebuilt",
            finish,
        )

    def _change(self, replica: Object, spec: dict[str, str], *, state: str = "running") -> None:
        place = Place(REPLICAS, namespace_of(replica), name_of(replica))

        def change(obj: Object) -> None:
            grow(obj, "spec").update(spec)
            grow(obj, "status")["currentState"] = state

        self._world.edit(place, change)


def _count_bytes(volume: Object) -> int:
    """Return what a rebuild copies: what is in a volume, and all of it where nobody tells."""
    return number(volume, "status", "actualSize") or read_size(dig(volume, "spec", "size"))


def _wanted(volume: Object) -> int:
    return number(volume, "spec", "numberOfReplicas", default=3)


def _make_replica(volume: Object, disk: Disk) -> Object:
    name = name_of(volume)
    labels: Object = {"longhornvolume": name, "longhornnode": disk.node}
    return {
        **describe("Replica", f"{name}-r-{random_suffix()}", labels, volume),
        "spec": {
            "volumeName": name,
            "volumeSize": text(volume, "spec", "size"),
            "nodeID": disk.node,
            "diskID": disk.uuid,
            "diskPath": disk.path,
            "healthyAt": "",
            "failedAt": "",
        },
        "status": {"currentState": "stopped"},
    }
