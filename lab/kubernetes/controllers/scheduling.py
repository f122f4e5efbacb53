"""The scheduler: which node a pod goes to, or why it goes to none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.selectors import Requirement, selects
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    is_going,
    labels_of,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    texts,
)

__all__ = ["Scheduler", "fits_selector", "tolerates"]

_APART = ("spec", "affinity", "podAntiAffinity")
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


class Scheduler:
    """Binds pods to nodes; whoever fits nowhere is tried again when something changed."""

    resources = frozenset({"pods", "nodes", "persistentvolumeclaims"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: dict[Place, None] = {}

    def places(self, change: Change) -> Iterable[Place]:
        """A new pod; every waiting pod when nodes, claims or other pods changed."""
        if change.resource == "pods":
            if change.type == "ADDED":
                yield change.place
                return
            if change.type != "DELETED":
                return
            self._waiting.pop(change.place, None)
        if change.resource == "nodes" and not _matters(change):
            return
        yield from list(self._waiting)

    def reconcile(self, place: Place) -> None:
        """Bind one pod, or say why not."""
        pod = self._world.find(place)
        if pod is None or text(pod, "spec", "nodeName") or is_going(pod):
            self._waiting.pop(place, None)
            return
        reason = self._check_claims(pod)
        node = "" if reason else self._choose(pod)
        if node:
            reason = self._select_for_claims(pod, node)
        if node and not reason:
            self._waiting.pop(place, None)
            self._bind(place, node)
            return
        self._waiting[place] = None
        self._refuse(place, pod, reason or self._explain(pod))

    def _check_claims(self, pod: Object) -> str:
        for claim in claims_of(pod):
            found = self._world.store.get("persistentvolumeclaims", namespace_of(pod), claim)
            if found is None:
                return f'persistentvolumeclaim "{claim}" not found'
            if text(found, "status", "phase") != "Bound" and not self._waits_for_consumer(found):
                return "pod has unbound immediate PersistentVolumeClaims"
        return ""

    def _waits_for_consumer(self, claim: Object) -> bool:
        name = text(claim, "spec", "storageClassName")
        storage = self._world.store.get("storageclasses.storage.k8s.io", "", name) or {}
        return text(storage, "volumeBindingMode") == "WaitForFirstConsumer"

    def _select_for_claims(self, pod: Object, node: str) -> str:
        """Tell the provisioner of claims that wait for a consumer where the pod will run."""
        reason = ""
        for claim in claims_of(pod):
            place = Place("persistentvolumeclaims", namespace_of(pod), claim)
            found = self._world.find(place)
            if found is not None and text(found, "status", "phase") != "Bound":
                self._world.edit(
                    place,
                    lambda obj: grow(obj, "metadata", "annotations").update(
                        {"volume.kubernetes.io/selected-node": node}
                    ),
                )
                reason = "waiting for volumes to be provisioned"
        return reason

    def _choose(self, pod: Object) -> str:
        fitting = [
            node for node in self._world.store.all("nodes") if not self._objection(pod, node)
        ]
        load = Counter(text(other, "spec", "nodeName") for other in self._world.store.all("pods"))
        avoided = self._count_avoided(pod)
        fitting.sort(key=lambda node: (avoided[name_of(node)], load[name_of(node)], name_of(node)))
        return name_of(fitting[0]) if fitting else ""

    def _objection(self, pod: Object, node: Object) -> str:
        if dig(node, "spec", "unschedulable"):
            return "node(s) were unschedulable"
        for taint in maps(node, "spec", "taints"):
            if text(taint, "effect") != "PreferNoSchedule" and not tolerates(pod, taint):
                return f"node(s) had untolerated taint {{{taint['key']}: {text(taint, 'value')}}}"
        if not fits_selector(pod, node):
            return "node(s) didn't match Pod's node affinity/selector"
        if self._repelled(pod, name_of(node)):
            return "node(s) didn't match pod anti-affinity rules"
        return ""

    def _count_avoided(self, pod: Object) -> Counter[str]:
        """By node, how much a pod would rather not run beside what runs there."""
        rules = maps(pod, *_APART, "preferredDuringSchedulingIgnoredDuringExecution")
        weighed = [
            (number(rule, "weight", default=1), at(rule, "podAffinityTerm"))
            for rule in rules
            if text(rule, "podAffinityTerm", "topologyKey") == "kubernetes.io/hostname"
        ]
        avoided: Counter[str] = Counter()
        for other in self._world.store.all("pods", namespace_of(pod)) if weighed else ():
            for weight, term in weighed:
                if selects(term.get("labelSelector"), labels_of(other)):
                    avoided[text(other, "spec", "nodeName")] += weight
        return avoided

    def _repelled(self, pod: Object, node: str) -> bool:
        rules = maps(pod, *_APART, "requiredDuringSchedulingIgnoredDuringExecution")
        rules = [rule for rule in rules if text(rule, "topologyKey") == "kubernetes.io/hostname"]
        if not rules:
            return False
        return any(
            selects(rule.get("labelSelector"), labels_of(other))
            for other in self._world.store.all("pods", namespace_of(pod))
            if text(other, "spec", "nodeName") == node
            for rule in rules
        )

    def _explain(self, pod: Object) -> str:
        nodes = self._world.store.all("nodes")
        if not nodes:
            return "no nodes available to schedule pods"
        reasons = Counter(self._objection(pod, node) for node in nodes)
        shown = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return f"0/{len(nodes)} nodes are available: {shown}."

    def _refuse(self, place: Place, pod: Object, reason: str) -> None:
        now = self._world.api.now()
        self._world.edit(
            place,
            lambda obj: set_condition(
                grow(obj, "status"), "PodScheduled", "False", "Unschedulable", reason, now=now
            ),
        )
        self._world.tell(pod, "FailedScheduling", reason)

    def _bind(self, place: Place, node: str) -> None:
        def change(obj: Object) -> None:
            grow(obj, "spec")["nodeName"] = node
            now = self._world.api.now()
            set_condition(grow(obj, "status"), "PodScheduled", "True", "", "", now=now)

        self._world.edit(place, change)


def claims_of(pod: Object) -> list[str]:
    """Names of the PersistentVolumeClaims that a pod mounts."""
    names = [
        text(volume, "persistentVolumeClaim", "claimName")
        for volume in maps(pod, "spec", "volumes")
    ]
    return [name for name in names if name]


def tolerates(pod: Object, taint: Object) -> bool:
    """Tell whether a pod tolerates a taint."""
    for toleration in maps(pod, "spec", "tolerations"):
        if text(toleration, "effect") not in {"", text(taint, "effect")}:
            continue
        key = text(toleration, "key")
        if text(toleration, "operator") == "Exists":
            if key in {"", text(taint, "key")}:
                return True
        elif key == text(taint, "key") and text(toleration, "value") == text(taint, "value"):
            return True
    return False


def fits_selector(pod: Object, node: Object) -> bool:
    """Tell whether nodeSelector and required node affinity of a pod accept a node."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in at(pod, "spec", "nodeSelector").items()):
        return False
    required = dig(
        pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = maps(required, "nodeSelectorTerms")
    return not terms or any(_accepts(term, labels, name_of(node)) for term in terms)


def _accepts(term: Object, labels: dict[str, str], name: str) -> bool:
    fields = {"metadata.name": name}
    return all(
        _require(expression).accepts(values)
        for values, key in ((labels, "matchExpressions"), (fields, "matchFields"))
        for expression in maps(term, key)
    )


def _require(expression: Object) -> Requirement:
    operator = _OPERATORS.get(text(expression, "operator"), "in")
    return Requirement(text(expression, "key"), operator, frozenset(texts(expression, "values")))


def _matters(change: Change) -> bool:
    """Whether a node changed in a way that scheduling looks at."""
    if change.before is None or change.type == "DELETED":
        return True
    before: tuple[Json, ...] = (
        change.before.get("spec"),
        at(change.before, "metadata").get("labels"),
    )
    after: tuple[Json, ...] = (
        change.object.get("spec"),
        at(change.object, "metadata").get("labels"),
    )
    return before != after
