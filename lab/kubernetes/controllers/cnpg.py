"""CloudNativePG: what becomes of a Cluster once its operator runs.

Names, order, phases and texts are those of `internal/controller/cluster_controller.go` and
`cluster_create.go` of cloudnative-pg 1.30; what instance managers do in their pods is played too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.kubernetes.controllers.children import owner_places, place_of
from lab.kubernetes.controllers.cnpg_growth import (
    BACKUPS,
    SNAPSHOTS,
    attach_claims,
    keep_size,
    mark_filled,
)
from lab.kubernetes.controllers.cnpg_hibernation import hibernate
from lab.kubernetes.controllers.cnpg_instances import IMAGE
from lab.kubernetes.controllers.cnpg_look import (
    UNRECOVERABLE,
    Look,
    has_failed,
    is_active,
    is_done,
)
from lab.kubernetes.controllers.cnpg_parts import keep_parts
from lab.kubernetes.controllers.cnpg_primary import choose_primary, follow_change, keep_roles
from lab.kubernetes.controllers.cnpg_secrets import keep_secrets
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import OPERATOR_START_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)

__all__ = ["CLUSTERS", "Databases", "find_operator", "is_operator"]

CLUSTERS = "clusters.postgresql.cnpg.io"
_OWNED = ("pods", "persistentvolumeclaims", "jobs.batch", "services", "poddisruptionbudgets.policy")
# What an instance's manager ends with when there is no room for WAL.
_NO_ROOM = 4


def find_operator(world: World) -> str:
    """Return the image of CloudNativePG's operator, if it runs; "" while it does not."""
    for deployment in world.store.all("deployments.apps"):
        if not is_operator(name_of(deployment)):
            continue
        containers = maps(deployment, "spec", "template", "spec", "containers")
        is_own = not at(deployment, "metadata", "labels").get("cnpg.io/poolerName")
        if is_own and containers and number(deployment, "status", "readyReplicas"):
            return text(containers[0], "image")
    return ""


def is_operator(name: str) -> bool:
    """Tell whether a Deployment is named as CloudNativePG's operator is."""
    return "cloudnative-pg" in name or "cnpg" in name


class Databases:
    """Brings Clusters up, keeps them so, and says in their status how they are."""

    resources = frozenset({CLUSTERS, BACKUPS, SNAPSHOTS, "deployments.apps", "nodes", *_OWNED})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A Cluster, the one that owns what changed, or all that may wait for it."""
        if change.resource == CLUSTERS:
            yield change.place
        elif change.resource == "nodes":
            if change.before is None or change.before.get("spec") != change.object.get("spec"):
                yield from self._list()
        elif change.resource in {BACKUPS, SNAPSHOTS}:
            yield from self._list(change.place.namespace)
        elif change.resource in _OWNED:
            yield from owner_places(change, "Cluster", CLUSTERS)
        elif is_operator(change.place.name):
            yield from self._list()

    def reconcile(self, place: Place) -> None:
        """Bring one Cluster a step on, if its operator runs; what it makes brings it here again."""
        cluster = self._world.find(place)
        operator = find_operator(self._world) if cluster is not None else ""
        if cluster is None or not operator or is_going(cluster):
            return
        annotations = at(cluster, "metadata", "annotations")
        if annotations.get("cnpg.io/reconciliationLoop") == "disabled":
            return
        if not text(cluster, "status", "image"):
            self._world.later(
                f"cnpg/{uid_of(cluster)}",
                OPERATOR_START_S,
                f"database {place.namespace}/{place.name} taken up",
                lambda: self._take_up(place),
            )
            return
        keep_secrets(self._world, cluster)
        keep_parts(self._world, cluster)
        look = Look.take(self._world, place, cluster, operator)
        self._advance(look)
        look.save()

    def _list(self, namespace: str = "") -> Iterator[Place]:
        for cluster in self._world.store.all(CLUSTERS, namespace):
            yield place_of(CLUSTERS, cluster)

    def _take_up(self, place: Place) -> None:
        """Find the image that the Cluster runs from now on."""
        cluster = self._world.find(place)
        if cluster is None:
            return
        image = text(cluster, "spec", "imageName")
        if wanted := at(cluster, "spec", "imageCatalogRef"):
            image = self._read_catalog(cluster, wanted)
        if not image and wanted:
            look = Look.take(self._world, place, cluster, "")
            said = "selected major version is not available in the catalog"
            look.say("Cluster has incomplete or invalid image catalog", said)
            look.save()
            return
        self._world.set_status(place, {"image": image or IMAGE})

    def _read_catalog(self, cluster: Object, wanted: Object) -> str:
        kind, name = text(wanted, "kind"), text(wanted, "name")
        space = "" if kind == "ClusterImageCatalog" else namespace_of(cluster)
        found = self._world.store.get(f"{kind.lower()}s.postgresql.cnpg.io", space, name)
        images = maps(found, "spec", "images") if found else []
        major = number(wanted, "major")
        return next((text(item, "image") for item in images if number(item, "major") == major), "")

    def _advance(self, look: Look) -> None:
        """Do what is to be done next, in the operator's order."""
        if follow_change(look, lambda: self._world.queue(self, look.place)):
            return
        keep_roles(look)
        if any(_lacks_room(pod) for pod in look.pods):
            look.say(
                "Not enough disk space",
                "Insufficient disk space detected in one or more pods is preventing PostgreSQL"
                " from running.Please verify your storage settings. Further information inside"
                " .status.instancesReportedState",
            )
        elif not hibernate(look) and not choose_primary(look):
            self._keep_instances(look)

    def _keep_instances(self, look: Look) -> None:
        failed = [name_of(job) for job in look.jobs if has_failed(job)]
        if failed:
            look.say(
                UNRECOVERABLE,
                f"Instance creation failed for the following jobs: {', '.join(failed)}."
                " Check the job logs to investigate the cause of the failure.",
            )
            return
        if any(not is_done(job) for job in look.jobs):
            return
        ended = [
            pod for pod in look.pods if text(pod, "status", "phase") in {"Failed", "Succeeded"}
        ]
        for pod in ended:
            self._world.delete(place_of("pods", pod))
        if ended:
            return
        if not all(is_active(pod) for pod in look.pods):
            said = "Some instances are not yet active. Please wait."
            look.say("Waiting for the instances to become active", said)
            return
        if not mark_filled(look) and not attach_claims(look):
            keep_size(look)


def _lacks_room(pod: Object) -> bool:
    """Tell whether PostgreSQL ended for want of room for WAL."""
    return any(
        dig(container, "lastState", "terminated", "exitCode") == _NO_ROOM
        for container in maps(pod, "status", "containerStatuses")
        if text(container, "name") == "postgres" and container.get("ready") is not True
    )
