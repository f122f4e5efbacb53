"""Longhorn's replicas: placed on nodes of their own, failed with them, rebuilt by their bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from lab.kubernetes.controllers.children import list_children
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
    grow,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)
from lab.kubernetes.writing import random_suffix

__all__ = ["Replicas", "read_size"]

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("KMGT", start=1)
}


class Replicas:
    """The replicas of every volume, in whatever state its nodes are."""

    def __init__(self, world: World, again: Callable[[Place], None]) -> None:
        self._world = world
        self._again = again  # has a volume judged anew

    def keep(self, volume: Object, usable: frozenset[str], *, is_attached: bool) -> int:
        """Place, start, fail and rebuild replicas of a volume; returns how many are good.

        While nothing is attached, replicas rest: none fails, and none is rebuilt.
        """
        if not self._world.api.serves(API, "Replica"):
            return 0
        self._place(volume, usable)
        replicas = self._children(volume)
        if not is_attached:
            for replica in replicas:
                self._world.forget(f"rebuild/{uid_of(replica)}")
                self._change(replica, {}, state="stopped")
            return 0
        if not any(is_good(replica) for replica in replicas):
            self._start_or_salvage(replicas, usable)
        self._fail(volume, usable)
        return self._rebuild(volume, usable)

    def _children(self, volume: Object) -> list[Object]:
        return list_children(self._world, volume, REPLICAS)

    def _place(self, volume: Object, usable: frozenset[str]) -> None:
        """Make the replicas that lack, on nodes without one unless soft anti-affinity is set."""
        world, namespace = self._world, namespace_of(volume)
        replicas = self._children(volume)
        missing = _wanted(volume) - sum(self._may_return(item, usable) for item in replicas)
        if missing <= 0:
            return
        taken = Counter(text(replica, "spec", "nodeID") for replica in replicas)
        is_soft = read_setting(world, namespace, "replica-soft-anti-affinity", "false") == "true"
        free = [node for node in sorted(usable) if not is_cordoned(world, node)]
        every = world.store.all(REPLICAS, namespace)
        load = Counter(text(replica, "spec", "nodeID") for replica in every)
        for _ in range(missing):
            fitting = [node for node in free if is_soft or not taken[node]]
            if not fitting:
                return
            node = min(fitting, key=lambda name: (taken[name], load[name], name))
            taken[node] += 1
            load[node] += 1
            world.plant(_make_replica(volume, node))

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

    def _rebuild(self, volume: Object, usable: frozenset[str]) -> int:
        """Rebuild what is not good as long as something is; count what is good."""
        replicas = self._children(volume)
        good = [replica for replica in replicas if is_good(replica)]
        others = [replica for replica in replicas if not is_good(replica)]
        if len(good) >= _wanted(volume):
            for replica in others:
                self._world.forget(f"rebuild/{uid_of(replica)}")
                self._world.delete(Place(REPLICAS, namespace_of(replica), name_of(replica)))
        elif good:
            here = [replica for replica in others if text(replica, "spec", "nodeID") in usable]
            for replica in here[: _wanted(volume) - len(good)]:
                self._begin_rebuild(volume, replica)
        for replica in good:
            self._change(replica, {}, state="running")
        return len(good)

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
            read_size(text(volume, "spec", "size")) / REBUILD_BYTES_PER_S,
            f"replica {place.name} rebuilt",
            finish,
        )

    def _change(self, replica: Object, spec: dict[str, str], *, state: str = "running") -> None:
        place = Place(REPLICAS, namespace_of(replica), name_of(replica))

        def change(obj: Object) -> None:
            grow(obj, "spec").update(spec)
            grow(obj, "status")["currentState"] = state

        self._world.edit(place, change)


def read_size(written: str) -> int:
    """Read a size of a claim, such as `10Gi`, in bytes; 0 for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?", written)
    return int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0


def _wanted(volume: Object) -> int:
    return number(volume, "spec", "numberOfReplicas", default=3)


def _make_replica(volume: Object, node: str) -> Object:
    name = name_of(volume)
    labels: Object = {"longhornvolume": name, "longhornnode": node}
    return {
        **describe("Replica", f"{name}-r-{random_suffix()}", labels, volume),
        "spec": {
            "volumeName": name,
            "volumeSize": text(volume, "spec", "size"),
            "nodeID": node,
            "healthyAt": "",
            "failedAt": "",
        },
        "status": {"currentState": "stopped"},
    }
