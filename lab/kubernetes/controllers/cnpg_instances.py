"""One instance of a CloudNativePG Cluster: its claims, the Job that fills them, its pod.

Source: `pkg/specs/pods.go`, `pkg/specs/jobs.go` and `pkg/reconciler/persistentvolumeclaim` of
cloudnative-pg 1.30.
"""

from __future__ import annotations

from lab.kubernetes.controllers.cnpg_parts import CLUSTER, head, label
from lab.kubernetes.faults import Faults, PodFault
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone,
    clone_map,
    dig,
    grow,
    labels_of,
    maps,
    name_of,
    namespace_of,
    text,
)

__all__ = [
    "CLAIM_STATUS",
    "IMAGE",
    "INSTANCE",
    "SERIAL",
    "choose_first_role",
    "find_end",
    "find_serial",
    "list_claim_names",
    "make_claims",
    "make_job",
    "make_pod",
    "name_instance",
    "read_serial",
]

# Its default in CloudNativePG 1.30.
IMAGE = "ghcr.io/cloudnative-pg/postgresql:18.6-system-trixie"
INSTANCE, SERIAL, CLAIM_STATUS = "cnpg.io/instanceName", "cnpg.io/nodeSerial", "cnpg.io/pvcStatus"
_COMMANDS = {
    "join": "join",
    "full-recovery": "restore",
    "snapshot-recovery": "restoresnapshot",
    "pgbasebackup": "pgbasebackup",
}
_STOP_S = 1800  # maxStopDelay


def name_instance(cluster: Object, serial: int) -> str:
    """Name an instance, which is also the name of its pod and first claim."""
    return f"{name_of(cluster)}-{serial}"


def read_serial(instance: str) -> int:
    """Return the number in the name of an instance."""
    return int(instance.rpartition("-")[2])


def find_serial(obj: Object) -> int:
    """Return the number of the instance that a pod or claim is of; 0 when it does not say."""
    found = text(obj, "metadata", "annotations", SERIAL)
    return int(found) if found.isdecimal() else 0


def choose_first_role(cluster: Object) -> str:
    """Say by which kind of Job the first instance comes about."""
    bootstrap = at(cluster, "spec", "bootstrap")
    if "recovery" in bootstrap:
        is_snapshot = dig(bootstrap, "recovery", "volumeSnapshots") is not None
        return "snapshot-recovery" if is_snapshot else "full-recovery"
    if "pg_basebackup" in bootstrap:
        return "pgbasebackup"
    return "import" if dig(bootstrap, "initdb", "import") else "initdb"


def find_end(faults: Faults, pod: Object) -> PodFault | None:
    """Return the fault by which the containers of an instance's pod, or of its Job's, end."""
    labels = labels_of(pod)
    found = faults.of_database(f"{namespace_of(pod)}/{labels.get(CLUSTER, '')}")
    if labels.get("cnpg.io/jobRole") == "full-recovery":
        return PodFault.RECOVERY_ABSENT if PodFault.RECOVERY_ABSENT in found else None
    is_full = PodFault.DATABASE_FULL in found and labels.get("cnpg.io/podRole") == "instance"
    return PodFault.DATABASE_FULL if is_full else None


def list_claim_names(cluster: Object, instance: str) -> list[str]:
    """Name the claims that an instance consists of, its data's first."""
    wal = [f"{instance}-wal"] if dig(cluster, "spec", "walStorage") is not None else []
    spaces = [
        f"{instance}-tbs-{text(item, 'name')}" for item in maps(cluster, "spec", "tablespaces")
    ]
    return [instance, *wal, *spaces]


def make_claims(cluster: Object, serial: int, *, is_first: bool) -> list[Object]:
    """Make the claims of an instance; the first one's may be filled from snapshots."""
    instance = name_instance(cluster, serial)
    storages = [("PG_DATA", at(cluster, "spec", "storage"))]
    if dig(cluster, "spec", "walStorage") is not None:
        storages.append(("PG_WAL", at(cluster, "spec", "walStorage")))
    storages += [
        ("PG_TABLESPACE", at(item, "storage")) for item in maps(cluster, "spec", "tablespaces")
    ]
    snapshots = at(cluster, "spec", "bootstrap", "recovery", "volumeSnapshots")
    made = []
    names = list_claim_names(cluster, instance)
    for name, (role, storage) in zip(names, storages, strict=True):
        claim = _make_claim(cluster, name, role, storage)
        metadata = at(claim, "metadata")
        metadata["annotations"] = {
            SERIAL: str(serial),
            CLAIM_STATUS: "initializing" if role == "PG_DATA" else "ready",
        }
        at(metadata, "labels")[INSTANCE] = instance
        part = {"PG_DATA": "storage", "PG_WAL": "walStorage"}.get(role, "")
        if is_first and (source := at(snapshots, part) if part else {}):
            at(claim, "spec")["dataSource"] = clone_map(source)
        made.append(claim)
    return made


def make_job(cluster: Object, serial: int, role: str, operator: str) -> Object:
    """Make the Job that fills the claims of an instance."""
    instance = name_instance(cluster, serial)
    labels: Object = {**label(name_of(cluster)), INSTANCE: instance, "cnpg.io/jobRole": role}
    command: list[Json] = ["/controller/manager", "instance", _COMMANDS.get(role, "init")]
    spec = _make_pod_spec(cluster, instance, operator)
    spec["restartPolicy"] = "Never"
    container = maps(spec, "containers")[0]
    container.update({"name": role, "command": command})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": head(cluster, f"{instance}-{role}", labels),
        "spec": {"template": {"metadata": {"labels": clone_map(labels)}, "spec": spec}},
    }


def make_pod(cluster: Object, serial: int, operator: str) -> Object:
    """Make the pod of an instance; whether it is the primary is said when it runs."""
    instance = name_instance(cluster, serial)
    labels: Object = {INSTANCE: instance, "cnpg.io/podRole": "instance"}
    spec = _make_pod_spec(cluster, instance, operator)
    container = maps(spec, "containers")[0]
    container["command"] = ["/controller/manager", "instance", "run"]
    ports = {"postgresql": 5432, "metrics": 9187, "status": 8000}
    container["ports"] = [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()
    ]
    spec.update({"restartPolicy": "Always", "terminationGracePeriodSeconds": _STOP_S})
    metadata = head(cluster, instance, {**label(name_of(cluster)), **labels})
    metadata["annotations"] = {SERIAL: str(serial)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _make_claim(cluster: Object, name: str, role: str, storage: Object) -> Object:
    spec = clone_map(at(storage, "pvcTemplate"))
    spec.setdefault("accessModes", ["ReadWriteOnce"])
    if given := text(storage, "storageClass"):
        spec["storageClassName"] = given
    if size := text(storage, "size"):
        grow(spec, "resources", "requests")["storage"] = size
    labels: Object = {**label(name_of(cluster)), "cnpg.io/pvcRole": role}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": head(cluster, name, labels),
        "spec": spec,
    }


def _make_pod_spec(cluster: Object, instance: str, operator: str) -> Object:
    claims = list_claim_names(cluster, instance)
    volumes: list[Json] = [
        {"name": _name_volume(instance, claim), "persistentVolumeClaim": {"claimName": claim}}
        for claim in claims
    ]
    volumes += [{"name": "scratch-data", "emptyDir": {}}, {"name": "shm", "emptyDir": {}}]
    scratch: Object = {"name": "scratch-data", "mountPath": "/controller"}
    manager: list[Json] = ["/manager", "bootstrap", "/controller/manager"]
    container: Object = {
        "name": "postgres",
        "image": text(cluster, "status", "image"),
        "env": [
            {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
            {"name": "CLUSTER_NAME", "value": name_of(cluster)},
        ],
        "resources": clone_map(at(cluster, "spec", "resources")),
        "volumeMounts": [{"name": "pgdata", "mountPath": "/var/lib/postgresql/data"}],
    }
    spec: Object = {
        "hostname": instance,
        "serviceAccountName": name_of(cluster),
        "initContainers": [
            {
                "name": "bootstrap-controller",
                "image": operator,
                "command": manager,
                "volumeMounts": [scratch],
            }
        ],
        "containers": [container],
        "volumes": volumes,
    }
    spec.update(_choose_place(cluster))
    return spec


def _name_volume(instance: str, claim: str) -> str:
    if claim == instance:
        return "pgdata"
    part = claim.removeprefix(f"{instance}-")
    return "pg-wal" if part == "wal" else part


def _choose_place(cluster: Object) -> Object:
    """Say where instances run: beside no other of the same Cluster, if it can be had."""
    asked = at(cluster, "spec", "affinity")
    affinity: Object = {}
    if (terms := _spread(cluster, asked)) is not None:
        affinity["podAntiAffinity"] = terms
    for field, given in (
        ("podAffinity", "additionalPodAffinity"),
        ("podAntiAffinity", "additionalPodAntiAffinity"),
        ("nodeAffinity", "nodeAffinity"),
    ):
        for key, rules in at(asked, given).items():
            own = grow(affinity, field)
            had, more = own.get(key), clone(rules)
            both = isinstance(had, list) and isinstance(more, list)
            own[key] = [*maps(had), *maps(more)] if both else more
    placed: Object = {"affinity": affinity} if affinity else {}
    for field in ("nodeSelector", "tolerations"):
        if given_field := asked.get(field):
            placed[field] = clone(given_field)
    for field in ("schedulerName", "priorityClassName", "topologySpreadConstraints"):
        if given_field := dig(cluster, "spec", field):
            placed[field] = clone(given_field)
    return placed


def _spread(cluster: Object, asked: Object) -> Object | None:
    if asked.get("enablePodAntiAffinity") is False:
        return None
    term: Object = {
        "labelSelector": {
            "matchExpressions": [
                {"key": CLUSTER, "operator": "In", "values": [name_of(cluster)]},
                {"key": "cnpg.io/podRole", "operator": "In", "values": ["instance"]},
            ]
        },
        "topologyKey": text(asked, "topologyKey") or "kubernetes.io/hostname",
    }
    if text(asked, "podAntiAffinityType") == "required":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    weighed: Object = {"weight": 100, "podAffinityTerm": term}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [weighed]}
