"""What CloudNativePG keeps beside the instances of a Cluster: Services, budgets, an account.

Source: `createPostgresClusterObjects` of `internal/controller/cluster_create.go`, and `pkg/specs`.
"""

from __future__ import annotations

from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone,
    clone_map,
    dig,
    grow,
    maps,
    name_of,
    namespace_of,
    number,
    reference_of,
    text,
    texts,
)

__all__ = ["CLUSTER", "ROLE", "head", "is_under_maintenance", "keep_parts", "label"]

CLUSTER, ROLE = "cnpg.io/cluster", "cnpg.io/instanceRole"
_BUDGETS = "poddisruptionbudgets.policy"
_PORT = 5432
# With fewer, a replica may always go.
_FEWEST_WITH_BUDGET = 3


def keep_parts(world: World, cluster: Object) -> None:
    """Make what is missing, and take away what is not wanted any more."""
    for suffix, wanted in _list_services(cluster).items():
        _keep(world, "services", wanted, is_wanted=not _is_off(cluster, suffix))
    for service in _make_additional(cluster):
        _keep(world, "services", service, is_wanted=True)
    size, kept = number(cluster, "spec", "instances", default=1), is_under_maintenance(cluster)
    has_budgets = dig(cluster, "spec", "enablePDB") is not False
    primary = has_budgets and not (kept and size == 1)
    name = name_of(cluster)
    _keep(
        world,
        _BUDGETS,
        _make_budget(cluster, f"{name}-primary", "primary", 1),
        is_wanted=primary,
    )
    replicas = _make_budget(cluster, name, "replica", size - 2)
    is_wanted = has_budgets and not kept and size >= _FEWEST_WITH_BUDGET
    _keep(world, _BUDGETS, replicas, is_wanted=is_wanted)
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = head(cluster, name)
    _keep(world, "serviceaccounts", account, is_wanted=True)


def is_under_maintenance(cluster: Object) -> bool:
    """Tell whether nodes are being worked on, and instances wait for theirs meanwhile."""
    window = at(cluster, "spec", "nodeMaintenanceWindow")
    return window.get("inProgress") is True and window.get("reusePVC") is not False


def head(owner: Object, name: str, labels: Object | None = None) -> Object:
    """Build the metadata of something that belongs to a Cluster, or to a Pooler of one."""
    return {
        "name": name,
        "namespace": namespace_of(owner),
        "labels": dict(label(name_of(owner)) if labels is None else labels),
        "ownerReferences": [reference_of(owner)],
    }


def label(cluster: str, component: str = "database") -> Object:
    """Labels of everything that belongs to a Cluster."""
    return {
        CLUSTER: cluster,
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "cloudnative-pg",
    }


def _keep(world: World, resource: str, wanted: Object, *, is_wanted: bool) -> None:
    place = Place(resource, namespace_of(wanted), name_of(wanted))
    found = world.find(place)
    if not is_wanted:
        owners = maps(found, "metadata", "ownerReferences") if found else []
        if any(owner in owners for owner in maps(wanted, "metadata", "ownerReferences")):
            world.delete(place)
        return
    if found is None:
        world.plant(wanted)
    elif resource == _BUDGETS:
        spec = at(wanted, "spec")
        world.edit(place, lambda obj: grow(obj, "spec").update(spec))


def _is_off(cluster: Object, suffix: str) -> bool:
    return suffix in texts(cluster, "spec", "managed", "services", "disabledDefaultServices")


def _list_services(cluster: Object) -> dict[str, Object]:
    name = name_of(cluster)
    return {
        suffix: _make_service(cluster, f"{name}-{suffix}", suffix) for suffix in ("rw", "ro", "r")
    }


def _make_service(cluster: Object, name: str, which: str) -> Object:
    roles: dict[str, Object] = {
        "rw": {ROLE: "primary"},
        "ro": {ROLE: "replica"},
        "r": {"cnpg.io/podRole": "instance"},
    }
    port: Object = {"name": "postgres", "port": _PORT, "targetPort": _PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": head(cluster, name),
        "spec": {
            "type": "ClusterIP",
            "ports": [port],
            "selector": {CLUSTER: name_of(cluster), **roles.get(which, roles["rw"])},
        },
    }


def _make_additional(cluster: Object) -> list[Object]:
    """Make the Services that an owner asks for beside these, mostly to reach it from outside."""
    made = []
    for asked in maps(cluster, "spec", "managed", "services", "additional"):
        template = clone_map(at(asked, "serviceTemplate"))
        name = text(template, "metadata", "name")
        if not name:
            continue
        service = _make_service(cluster, name, text(asked, "selectorType"))
        labels = at(service, "metadata", "labels")
        labels.update({"cnpg.io/isManaged": "true", **at(template, "metadata", "labels")})
        if given := at(template, "metadata", "annotations"):
            grow(service, "metadata")["annotations"] = given
        own = at(service, "spec")
        service["spec"] = {**own, **at(template, "spec"), "selector": own["selector"]}
        made.append(service)
    return made


def _make_budget(cluster: Object, name: str, role: str, least: Json) -> Object:
    chosen: Object = {CLUSTER: name_of(cluster), ROLE: role}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": head(cluster, name),
        "spec": {"selector": {"matchLabels": clone(chosen)}, "minAvailable": least},
    }
