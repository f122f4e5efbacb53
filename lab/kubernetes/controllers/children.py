"""What all workloads share: making pods from templates, and counting them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.kubernetes.controllers.world import World, is_true
from lab.kubernetes.durations import CREATE_AGAIN_S
from lab.kubernetes.errors import ForbiddenError, InvalidError
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    reference_of,
    text,
    texts,
    uid_of,
)
from lab.kubernetes.writing import random_suffix

__all__ = [
    "is_ready",
    "list_children",
    "list_pods_on",
    "make_pod",
    "owner_places",
    "place_of",
    "plant_pod",
]


def owner_places(change: Change, kind: str, resource: str) -> Iterable[Place]:
    """The workload itself, or the one that owns what changed."""
    if change.resource == resource:
        yield change.place
        return
    for reference in maps(change.object, "metadata", "ownerReferences"):
        if text(reference, "kind") == kind:
            yield Place(resource, namespace_of(change.object), text(reference, "name"))


def place_of(resource: str, obj: Object) -> Place:
    """Where an object of a resource lives."""
    return Place(resource, namespace_of(obj), name_of(obj))


def list_children(world: World, owner: Object, resource: str) -> list[Object]:
    """Every object of a resource that `owner` owns, oldest first."""
    found = [
        child
        for place in world.store.owned_by(uid_of(owner))
        if place.resource == resource and (child := world.find(place)) is not None
    ]
    return sorted(found, key=lambda child: text(child, "metadata", "creationTimestamp"))


def list_pods_on(world: World, node: str) -> list[Object]:
    """Every pod of a node."""
    return [pod for pod in world.store.all("pods") if text(pod, "spec", "nodeName") == node]


def is_ready(pod: Object) -> bool:
    """Whether a pod serves: Ready and not being deleted."""
    return is_true(pod, "Ready") and not is_going(pod)


def plant_pod(world: World, owner: Object, pod: Object, again: Callable[[], None]) -> None:
    """Create a pod of `owner`; one that is refused is told of, and tried `again` later."""
    try:
        world.plant(pod)
    except (ForbiddenError, InvalidError) as error:
        # Real controllers leave the end of the name to the server, which had not made one yet.
        said = error.message.replace(name_of(pod), text(pod, "metadata", "generateName"))
        world.tell(owner, "FailedCreate", f"Error creating: {said}")
        world.expire(f"again/{uid_of(owner)}", CREATE_AGAIN_S, again)


def make_pod(owner: Object, *, name: str = "", labels: dict[str, str], node: str = "") -> Object:
    """Make a pod from the owner's template, with more labels, for a node if given."""
    template = clone_map(at(owner, "spec", "template"))
    metadata = grow(template, "metadata")
    grow(metadata, "labels").update(labels)
    metadata["name"] = name or f"{name_of(owner)}-{random_suffix()}"
    metadata["namespace"] = namespace_of(owner)
    metadata["generateName"] = f"{name_of(owner)}-"
    references: list[Json] = [reference_of(owner)]
    metadata["ownerReferences"] = references
    spec = grow(template, "spec")
    if node:
        spec["nodeName"] = node
    if not texts(spec, "serviceAccountName"):
        spec.setdefault("serviceAccountName", "default")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
