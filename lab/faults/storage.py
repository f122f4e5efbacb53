"""Faults of what data lie on and come back from: volumes, disks, backups, databases."""

from __future__ import annotations

from lab.faults.answers import by_diagnosis, by_gate
from lab.faults.values import RunningFault, Target, strike_pods
from lab.kubernetes.faults import PodFault

__all__ = ["STORAGE_FAULTS"]


def _restore(fault: PodFault, does: str, origin: str) -> RunningFault:
    """Make one of the repository that is restored from: what waits for it is named."""
    answers = (
        by_gate("layer-is-ready"),
        by_gate("layer-keeps-promises"),
        by_diagnosis(fault.value),
        by_diagnosis("restore-failing"),
    )
    return RunningFault(fault.value, Target.RESTORE, does, origin, strike_pods(fault), answers)


STORAGE_FAULTS = (
    RunningFault(
        PodFault.VOLUMES_DEGRADED.value,
        Target.VOLUME,
        "Longhorn volumes of pods whose `namespace/name` begins with the target lack replicas.",
        "https://github.com/postfinance/topf/issues/135",
        strike_pods(PodFault.VOLUMES_DEGRADED),
        (by_gate("layer-keeps-promises"), by_diagnosis("volume-unhealthy")),
    ),
    RunningFault(
        PodFault.DISK_FULL.value,
        Target.WORKER,
        "The disks that Longhorn has on the machine are full but for 5 % by other data, so that no"
        " more replicas are placed there: volumes are degraded, and where no other node takes a"
        " replica they cannot be attached at all.",
        "https://github.com/longhorn/longhorn/issues/9441",
        strike_pods(PodFault.DISK_FULL),
        (
            by_gate("layer-keeps-promises"),
            by_gate("layer-is-ready"),
            by_diagnosis("volume-unhealthy"),
            by_diagnosis("volume-unplaced"),
        ),
    ),
    RunningFault(
        PodFault.RESTORE_EMPTY.value,
        Target.RESTORE,
        "ReplicationDestinations whose `namespace/name` begins with the target find no snapshot, as"
        " in a repository that is not the one meant: VolSync restores nothing and reports success,"
        " so a run ends well; its checks of what layers promise and of the whole say which did so.",
        "https://github.com/backube/volsync/blob/main/mover-restic/entry.sh",
        strike_pods(PodFault.RESTORE_EMPTY),
    ),
    _restore(
        PodFault.RESTORE_LOCKED,
        "The repository of ReplicationDestinations whose `namespace/name` begins with the target is"
        " locked by a restic that ended without unlocking it: movers fail again and again, and"
        " claims that wait for them stay pending.",
        "https://github.com/backube/volsync/issues/1429",
    ),
    _restore(
        PodFault.RESTORE_PASSWORD,
        "The repository of ReplicationDestinations whose `namespace/name` begins with the target"
        " has another password than their Secret: movers fail again and again, and claims that"
        " wait for them stay pending.",
        "https://github.com/backube/volsync/blob/main/mover-restic/entry.sh",
    ),
    RunningFault(
        PodFault.RECOVERY_ABSENT.value,
        Target.RECOVERY,
        "CloudNativePG's Clusters whose `namespace/name` begins with the target find no base backup"
        " to be recovered from: the Job that should do it fails until it is given up.",
        "https://github.com/ionfury/homelab/blob/main/.taskfiles/dr/RECOVERY.md",
        strike_pods(PodFault.RECOVERY_ABSENT),
        (
            *map(by_gate, ("layer-is-ready", "layer-keeps-promises")),
            by_diagnosis("recovery-failing"),
        ),
    ),
    RunningFault(
        PodFault.DATABASE_FULL.value,
        Target.DATABASE,
        "CloudNativePG's Clusters whose `namespace/name` begins with the target have no room for"
        " WAL, and PostgreSQL does not start.",
        "https://github.com/cloudnative-pg/cloudnative-pg/blob/main/docs/src/instance_manager.md",
        strike_pods(PodFault.DATABASE_FULL),
        (*map(by_gate, ("layer-is-ready", "layer-keeps-promises")), by_diagnosis("database-full")),
    ),
)
