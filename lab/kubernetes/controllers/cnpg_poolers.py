"""CloudNativePG's Poolers: a Deployment of PgBouncer and a Service before a Cluster.

Source: `internal/controller/pooler_*.go` and `pkg/specs/pgbouncer` of cloudnative-pg 1.30.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.children import owner_places, place_of
from lab.kubernetes.controllers.cnpg import CLUSTERS, find_operator, is_operator
from lab.kubernetes.controllers.cnpg_parts import head, label
from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    reference_of,
    text,
)

__all__ = ["Poolers"]

_POOLERS, _DEPLOYMENTS = "poolers.postgresql.cnpg.io", "deployments.apps"
_IMAGE = "ghcr.io/cloudnative-pg/pgbouncer:1.25.1"
_PORT = 5432


class Poolers:
    """Keeps what each Pooler consists of."""

    resources = frozenset({_POOLERS, CLUSTERS, _DEPLOYMENTS, "secrets"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A Pooler, the one that owns a Deployment, or those that may wait."""
        if change.resource == _POOLERS:
            yield change.place
        elif change.resource in {CLUSTERS, "secrets"}:
            for pooler in self._world.store.all(_POOLERS, change.place.namespace):
                yield place_of(_POOLERS, pooler)
        else:
            yield from owner_places(change, "Pooler", _POOLERS)
            if is_operator(change.place.name):
                for pooler in self._world.store.all(_POOLERS):
                    yield place_of(_POOLERS, pooler)

    def reconcile(self, place: Place) -> None:
        """Make one Pooler's objects when all that they mount is there."""
        pooler = self._world.find(place)
        operator = find_operator(self._world) if pooler is not None else ""
        if pooler is None or not operator or is_going(pooler):
            return
        name = text(pooler, "spec", "cluster", "name")
        cluster = self._world.store.get(CLUSTERS, place.namespace, name)
        reason = f'Cluster "{name}" not found' if cluster is None else ""
        if cluster is not None:
            self._plant_login(cluster, pooler)
            reason = self._find_missing(pooler, name)
        if reason:
            self._world.set_status(place, {"phase": "inactive", "phaseReason": reason})
            return
        self._world.plant({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _head(pooler)})
        self._world.plant(_make_service(pooler))
        running = Place(_DEPLOYMENTS, place.namespace, place.name)
        deployment = self._world.find(running)
        if deployment is None:
            deployment = self._world.plant(_make_deployment(pooler, operator))
        replicas = number(pooler, "spec", "instances", default=1)
        self._world.edit(running, lambda obj: grow(obj, "spec").update({"replicas": replicas}))
        is_paused = dig(pooler, "spec", "pgbouncer", "paused") is True
        self._world.set_status(
            place,
            {
                "phase": "paused" if is_paused else "active",
                "phaseReason": "pgbouncer is paused" if is_paused else "",
                "image": _IMAGE,
                "instances": number(deployment, "status", "replicas"),
            },
        )

    def _plant_login(self, cluster: Object, pooler: Object) -> None:
        """The Cluster's own part: by which certificate PgBouncer asks for passwords."""
        server = self._world.store.get(
            "secrets", namespace_of(cluster), f"{name_of(cluster)}-replication"
        )
        given = at(pooler, "spec", "pgbouncer")
        if server is None or "authQuery" in given or "authQuerySecret" in given:
            return
        self._world.plant(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": head(cluster, f"{name_of(cluster)}-pooler"),
                "type": "kubernetes.io/tls",
                "data": clone_map(at(server, "data")),
            }
        )

    def _find_missing(self, pooler: Object, cluster: str) -> str:
        given = at(pooler, "spec", "pgbouncer")
        wanted = {
            "AuthUserSecret": text(given, "authQuerySecret", "name") or f"{cluster}-pooler",
            "ClientTLSSecret": text(given, "clientTLSSecret", "name") or f"{cluster}-server",
            "ClientCASecret": text(given, "clientCASecret", "name") or f"{cluster}-ca",
        }
        store, space = self._world.store, namespace_of(pooler)
        missing = (
            f'{what} "{name}" not found'
            for what, name in wanted.items()
            if store.get("secrets", space, name) is None
        )
        return next(missing, "")


def _head(pooler: Object) -> Object:
    labels = label(text(pooler, "spec", "cluster", "name"), "pooler")
    own: Object = {"cnpg.io/poolerName": name_of(pooler), "cnpg.io/podRole": "pooler"}
    return head(pooler, name_of(pooler), {**labels, **own})


def _make_service(pooler: Object) -> Object:
    template = clone_map(at(pooler, "spec", "serviceTemplate"))
    metadata, given = _head(pooler), at(template, "metadata")
    at(metadata, "labels").update(at(given, "labels"))
    if "annotations" in given:
        metadata["annotations"] = given["annotations"]
    ports: list[Json] = [
        {"name": "pgbouncer", "port": _PORT, "targetPort": "pgbouncer", "protocol": "TCP"}
    ]
    spec: Object = {"type": "ClusterIP", "ports": ports, **at(template, "spec")}
    spec["selector"] = {"cnpg.io/poolerName": name_of(pooler)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _make_deployment(pooler: Object, operator: str) -> Object:
    cluster, metadata = text(pooler, "spec", "cluster", "name"), _head(pooler)
    template = clone_map(at(pooler, "spec", "template"))
    spec = grow(template, "spec")
    given = {text(item, "name"): item for item in maps(spec, "containers")}
    own: Object = {
        "name": "pgbouncer",
        "image": _IMAGE,
        "command": ["/controller/manager", "pgbouncer", "run"],
        "ports": [{"name": "pgbouncer", "containerPort": _PORT}],
        **given.pop("pgbouncer", {}),
    }
    spec["containers"] = [own, *given.values()]
    scratch: Object = {"name": "scratch-data", "mountPath": "/controller"}
    spec["initContainers"] = [
        {"name": "bootstrap-controller", "image": operator, "volumeMounts": [scratch]},
        *maps(spec, "initContainers"),
    ]
    spec["volumes"] = [
        *maps(spec, "volumes"),
        {"name": "ca", "secret": {"secretName": f"{cluster}-ca"}},
        {"name": "server-tls", "secret": {"secretName": f"{cluster}-server"}},
        {"name": "scratch-data", "emptyDir": {}},
    ]
    spec["serviceAccountName"] = name_of(pooler)
    grow(template, "metadata", "labels").update(at(metadata, "labels"))
    metadata["ownerReferences"] = [reference_of(pooler)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": number(pooler, "spec", "instances", default=1),
            "selector": {"matchLabels": {"cnpg.io/poolerName": name_of(pooler)}},
            "template": template,
        },
    }
