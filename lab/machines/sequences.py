"""What Talos' sequences consist of: phases in their order, each with the one task that it has.

Source: `v1alpha1_sequencer.go` of Talos v1.13.9, for machines that are no containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.machines.boot import PowerRequest, Verb

__all__ = ["Phase", "can_take_over", "list_phases"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase and its task; one that `forgives` logs a failure, and the sequence goes on."""

    name: str
    task: str
    forgives: bool = False


_DRAIN = Phase("drain", "cordonAndDrainNode")
_STOP_PODS = Phase("cleanup", "stopAllPods")
_DBUS = Phase("dbus", "stopDBus")
_KEXEC = Phase("kexec", "kexecPrepare")
_STOP_ALL = Phase("stopEverything", "stopAllServices")
_REBOOT = Phase("reboot", "reboot")
_SHUTDOWN = Phase("shutdown", "shutdown")


def list_phases(request: PowerRequest, *, is_control_plane: bool) -> tuple[Phase, ...]:
    """List the phases of the sequence that a request asks for."""
    match request.verb:
        case Verb.REBOOT | Verb.STAGE_UPGRADE:
            return (_STOP_PODS, _DBUS, *_stop_all(kexec=True), _REBOOT)
        case Verb.UPGRADE:
            return tuple(_upgrade(request))
        case Verb.SHUTDOWN:
            store = Phase("storeShutdown", "storeShutdownEmergency")
            drain = (_DRAIN,) if request.drains else ()
            return (store, *drain, _STOP_PODS, _DBUS, *_stop_all(kexec=False), _SHUTDOWN)
        case Verb.RESET:
            return tuple(_reset(request, is_control_plane=is_control_plane))


def can_take_over(wanted: Verb, running: Verb) -> bool:
    """Tell whether a sequence may end one that runs (`sequencer.go`, and the API of shutdown)."""
    if wanted is Verb.SHUTDOWN:
        return True
    return wanted is Verb.REBOOT and running in {Verb.REBOOT, Verb.RESET}


def _stop_all(*, kexec: bool, forgives: bool = False) -> Iterator[Phase]:
    for name, task in (
        ("stopServices", "stopServicesForUpgrade"),
        ("umount", "unmountPodMounts"),
        ("unmountBind", "unmountSystemDiskBindMounts"),
        ("unmountSystem", "unmountEphemeralPartition"),
        ("volumeFinalize", "teardownLifecycle"),
        *(((_KEXEC.name, _KEXEC.task),) if kexec else ()),
        (_STOP_ALL.name, _STOP_ALL.task),
    ):
        yield Phase(name, task, forgives)


def _upgrade(request: PowerRequest) -> Iterator[Phase]:
    if request.drains:
        yield _DRAIN
    yield from (_STOP_PODS, _DBUS)
    yield Phase("stopServices", "stopServicesForUpgrade")
    yield Phase("unmount", "unmountPodMounts")
    yield Phase("unmountBind", "unmountSystemDiskBindMounts")
    yield Phase("unmountSystem", "unmountEphemeralPartition")
    yield Phase("volumeFinalize", "teardownLifecycle")
    yield Phase("upgrade", "upgrade")
    yield Phase("meta", "reloadMeta")
    yield from (_KEXEC, _STOP_ALL, _REBOOT)


def _reset(request: PowerRequest, *, is_control_plane: bool) -> Iterator[Phase]:
    labels = request.wipes - {"*"}
    if request.drains:
        yield Phase(_DRAIN.name, _DRAIN.task, forgives=True)
    pods = "removeAllPods" if request.leaves_etcd else "stopAllPods"
    yield Phase("cleanup", pods, forgives=True)
    yield _DBUS
    if request.leaves_etcd and is_control_plane:
        yield Phase("leave", "leaveEtcd")
    yield Phase("preReset", "sendResetSignal")
    yield from _stop_all(kexec=bool(labels - {"BOOT"}) and "BOOT" not in labels, forgives=True)
    yield Phase("forceCleanup", "forceCleanup")
    if "*" in request.wipes:
        yield Phase("reset", "resetSystemDisk")
    if labels:
        yield Phase("resetSpec", "resetSystemDiskSpec")
    if request.wipes_disks:
        yield Phase("resetUserDisks", "resetUserDisks")
    yield _REBOOT if request.reboots else _SHUTDOWN
