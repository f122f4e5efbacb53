"""Tables for `kubectl get`: a few columns for the kinds people look at, AGE for all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from lab.kubernetes.kinds import Kind, PrinterColumn
from lab.kubernetes.values import Json, Object, at, dig, maps, name_of, number, text

__all__ = ["make_table"]

_STEP = re.compile(
    r"""\.([\w-]+)|\['([^']+)'\]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)\]|\[(\d+)\]"""
)


def make_table(
    kind: Kind, objects: Sequence[Object], version: str, now: datetime, *, whole: bool
) -> Object:
    """Build a Table of objects; `whole` puts each whole object on its row, not only metadata."""
    columns = kind.columns or _COLUMNS.get(kind.resource, ())
    shows_age = any(column.path == ".metadata.creationTimestamp" for column in columns)
    definitions: list[Json] = [_define("Name", "string", "name", 0)]
    definitions += [_define(column.name, "string", "", column.priority) for column in columns]
    if not shows_age:
        definitions.append(_define("Age", "string", "", 0))
    rows: list[Json] = []
    for obj in objects:
        cells: list[Json] = [name_of(obj)]
        cells += [_cell(kind, column, obj, now) for column in columns]
        if not shows_age:
            cells.append(_age(text(obj, "metadata", "creationTimestamp"), now))
        shown: Object = obj if whole else _partial(obj)
        rows.append({"cells": cells, "object": shown})
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _define(name: str, kind: str, form: str, priority: int) -> Object:
    return {"name": name, "type": kind, "format": form, "description": name, "priority": priority}


def _partial(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata", {}),
    }


def _cell(kind: Kind, column: PrinterColumn, obj: Object, now: datetime) -> Json:
    if special := _SPECIAL.get((kind.resource, column.name)):
        return special(obj)
    value = _follow(obj, column.path)
    if column.type == "date" or column.path == ".metadata.creationTimestamp":
        return _age(value if isinstance(value, str) else "", now)
    if isinstance(value, dict | list):
        return json.dumps(value)
    return "" if value is None else value


def _follow(value: Json, path: str) -> Json:
    for key, quoted, field, wanted, index in _STEP.findall(path):
        if key or quoted:
            value = dig(value, key or quoted)
        elif field:
            value = next((item for item in maps(value) if item.get(field) == wanted), None)
        elif isinstance(value, list):
            value = value[int(index)] if int(index) < len(value) else None
    return value


def _age(created: str, now: datetime) -> str:
    if not created:
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(created)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _node_status(node: Object) -> str:
    ready = next(
        (item for item in maps(node, "status", "conditions") if item.get("type") == "Ready"), {}
    )
    status = "Ready" if text(ready, "status") == "True" else "NotReady"
    return status + (",SchedulingDisabled" if dig(node, "spec", "unschedulable") else "")


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = at(node, "metadata", "labels")
    roles = [label.removeprefix(prefix) for label in labels if label.startswith(prefix)]
    return ",".join(sorted(roles)) or "<none>"


def _pod_ready(pod: Object) -> str:
    statuses = maps(pod, "status", "containerStatuses")
    ready = sum(1 for status in statuses if status.get("ready") is True)
    return f"{ready}/{len(maps(pod, 'spec', 'containers'))}"


def _pod_status(pod: Object) -> str:
    if "deletionTimestamp" in at(pod, "metadata"):
        return "Terminating"
    for status in maps(pod, "status", "containerStatuses"):
        if reason := text(status, "state", "waiting", "reason"):
            return reason
    phase = text(pod, "status", "phase")
    return "Completed" if phase == "Succeeded" else phase


def _ready_of(ready: str, wanted: Callable[[Object], int]) -> Callable[[Object], str]:
    return lambda obj: f"{number(obj, 'status', ready)}/{wanted(obj)}"


def _replicas(obj: Object) -> int:
    return number(obj, "spec", "replicas", default=1)


def _csr_condition(request: Object) -> str:
    kinds = [text(item, "type") for item in maps(request, "status", "conditions")]
    if text(request, "status", "certificate"):
        kinds.append("Issued")
    return ",".join(kinds) or "Pending"


_COLUMNS: dict[str, tuple[PrinterColumn, ...]] = {
    "nodes": (
        PrinterColumn("Status", "string", ""),
        PrinterColumn("Roles", "string", ""),
        PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
        PrinterColumn("Version", "string", ".status.nodeInfo.kubeletVersion"),
    ),
    "pods": (
        PrinterColumn("Ready", "string", ""),
        PrinterColumn("Status", "string", ""),
        PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
        PrinterColumn("IP", "string", ".status.podIP", 1),
        PrinterColumn("Node", "string", ".spec.nodeName", 1),
    ),
    "namespaces": (PrinterColumn("Status", "string", ".status.phase"),),
    "deployments.apps": (PrinterColumn("Ready", "string", ""),),
    "statefulsets.apps": (PrinterColumn("Ready", "string", ""),),
    "daemonsets.apps": (
        PrinterColumn("Desired", "integer", ".status.desiredNumberScheduled"),
        PrinterColumn("Ready", "integer", ".status.numberReady"),
    ),
    "services": (
        PrinterColumn("Type", "string", ".spec.type"),
        PrinterColumn("Cluster-IP", "string", ".spec.clusterIP"),
        PrinterColumn("External-IP", "string", ".status.loadBalancer.ingress[0].ip"),
    ),
    "persistentvolumeclaims": (
        PrinterColumn("Status", "string", ".status.phase"),
        PrinterColumn("Volume", "string", ".spec.volumeName"),
        PrinterColumn("StorageClass", "string", ".spec.storageClassName"),
    ),
    "certificatesigningrequests.certificates.k8s.io": (
        PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
        PrinterColumn("SignerName", "string", ".spec.signerName"),
        PrinterColumn("Requestor", "string", ".spec.username"),
        PrinterColumn("Condition", "string", ""),
    ),
}

_SPECIAL: dict[tuple[str, str], Callable[[Object], Json]] = {
    ("nodes", "Status"): _node_status,
    ("nodes", "Roles"): _node_roles,
    ("pods", "Ready"): _pod_ready,
    ("pods", "Status"): _pod_status,
    ("deployments.apps", "Ready"): _ready_of("readyReplicas", _replicas),
    ("statefulsets.apps", "Ready"): _ready_of("readyReplicas", _replicas),
    ("certificatesigningrequests.certificates.k8s.io", "Condition"): _csr_condition,
}
