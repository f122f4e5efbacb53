"""How many instances a CloudNativePG Cluster has: the first one, replicas, those that go.

Source: `createPrimaryInstance`, `joinReplicaInstance`, `ensureInstancesAreCreated` and
`scaleDownCluster` of cloudnative-pg 1.30.
"""

from __future__ import annotations

from lab.kubernetes.controllers.children import place_of
from lab.kubernetes.controllers.cnpg_instances import (
    CLAIM_STATUS,
    INSTANCE,
    choose_first_role,
    make_claims,
    make_job,
    make_pod,
    name_instance,
    read_serial,
)
from lab.kubernetes.controllers.cnpg_look import HEALTHY, UNRECOVERABLE, Look, is_done
from lab.kubernetes.store import Place
from lab.kubernetes.values import at, dig, grow, name_of, text

__all__ = ["BACKUPS", "SNAPSHOTS", "attach_claims", "keep_size", "mark_filled"]

BACKUPS = "backups.postgresql.cnpg.io"
SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
_CLAIMS = "persistentvolumeclaims"
_LOST = (
    "One or more instances were previously created, but no PersistentVolumeClaims (PVCs) exist."
    " The cluster is in an unrecoverable state."
    " To resolve this, restore the cluster from a recent backup."
)
_FIRST = {
    "full-recovery": "from backup",
    "snapshot-recovery": "from volumeSnapshots",
    "pgbasebackup": "from physical backup",
}


def mark_filled(look: Look) -> bool:
    """Note on claims that the Job which filled them is done; tell whether there were any."""
    done = {text(job, "metadata", "labels", INSTANCE) for job in look.jobs if is_done(job)}
    marked = False
    for claim in look.claims:
        is_new = text(claim, "metadata", "annotations", CLAIM_STATUS) != "ready"
        if is_new and text(claim, "metadata", "labels", INSTANCE) in done:
            look.world.edit(
                place_of(_CLAIMS, claim),
                lambda obj: grow(obj, "metadata", "annotations").update({CLAIM_STATUS: "ready"}),
            )
            marked = True
    return marked


def attach_claims(look: Look) -> bool:
    """Have a pod, or first a Job, for claims that nobody uses; tell whether there are any."""
    if not look.dangling:
        return False
    if len(look.ready) < len(look.pods):
        return True
    instance = look.dangling[0]
    serial = read_serial(instance)
    if look.is_filled(instance):
        look.world.plant(make_pod(look.cluster, serial, look.operator))
    elif not look.has_job(instance):
        primary = text(look.status, "currentPrimary")
        is_first = not primary or instance == text(look.status, "targetPrimary")
        _fill(look, serial, is_first=is_first)
    return True


def keep_size(look: Look) -> None:
    """Make one instance more or less; a Cluster that has all of them is healthy."""
    names = look.instances
    if not names:
        _create_first(look)
    elif len(look.ready) < len(names):
        return
    elif len(names) < look.size:
        taken = {read_serial(name) for name in names}
        free = next(number for number in range(1, len(names) + 2) if number not in taken)
        _fill(look, free, is_first=False)
    elif len(names) > look.size:
        _remove_one(look)
    else:
        for job in look.jobs:
            look.world.delete(place_of("jobs.batch", job))
        look.say(HEALTHY)


def _create_first(look: Look) -> None:
    if text(look.condition("Initialized"), "status") == "True":
        look.say(UNRECOVERABLE, _LOST)
        return
    if not _has_origin(look):
        return
    for claim in make_claims(look.cluster, 1, is_first=True):
        look.world.plant(claim)
    name = _name(look, 1)
    look.status["targetPrimary"] = name
    look.say("Setting up primary", f"Creating primary instance {name}")


def _has_origin(look: Look) -> bool:
    """Tell whether the objects that the first instance is recovered from are there.

    While they are not, the operator says so in an event at most, and the phase stays empty.
    """
    recovery = at(look.cluster, "spec", "bootstrap", "recovery")
    store, space = look.world.store, look.place.namespace
    if name := text(recovery, "backup", "name"):
        found = store.get(BACKUPS, space, name)
        if found is None:
            look.tell("ErrorNoBackup", f'Backup object "{space}/{name}" is missing', warning=True)
        return text(found, "status", "phase") == "completed"
    snapshots = at(recovery, "volumeSnapshots")
    wanted = [
        text(snapshots, part, "name") for part in ("storage", "walStorage") if dig(snapshots, part)
    ]
    return all(store.get(SNAPSHOTS, space, name) is not None for name in wanted)


def _fill(look: Look, serial: int, *, is_first: bool) -> None:
    """Run the Job that fills an instance's claims, and make those that are missing."""
    role = choose_first_role(look.cluster) if is_first else "join"
    job, instance = make_job(look.cluster, serial, role, look.operator), _name(look, serial)
    if is_first:
        look.tell("CreatingInstance", f"Primary instance ({_FIRST.get(role, 'initdb')})")
        look.status["targetPrimary"] = instance
    else:
        look.tell("CreatingInstance", f"Creating instance {instance}")
        look.say("Creating a new replica", f"Creating replica {name_of(job)}")
    look.world.plant(job)
    for claim in make_claims(look.cluster, serial, is_first=is_first):
        look.world.plant(claim)


def _name(look: Look, serial: int) -> str:
    return name_instance(look.cluster, serial)


def _remove_one(look: Look) -> None:
    """Take the youngest instance that is not the primary, with its claims."""
    primary = text(look.status, "currentPrimary")
    spare = [name for name in look.instances if name != primary]
    name = max(spare, key=read_serial)
    look.tell("ScaleDown", f"Scaling down - removing instance: {name}")
    for claim in look.claims:
        if text(claim, "metadata", "labels", INSTANCE) == name:
            look.world.delete(place_of(_CLAIMS, claim))
    look.world.delete(Place("pods", look.place.namespace, name))
