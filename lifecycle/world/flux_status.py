"""What the status of Flux objects means, for gates (facts: flux.md §9.2 and §9.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from lifecycle.drivers.documents import list_at, text_at
from lifecycle.drivers.kubernetes import Condition, KubernetesObject

__all__ = ["Readiness", "State", "read_kustomization", "read_release", "read_source"]

_MESSAGE_CHARS = 200  # enough for a cause; Flux repeats whole dry-run errors
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")  # of a Go duration, as Flux' CRDs allow it
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LOOKING = ("Unknown", "Progressing")
# An attempt begins an interval after the last one, 5 % earlier or later, and may stand in a queue.
_JITTER, _QUEUE = 1.1, timedelta(minutes=1)


class State(Enum):
    """How far one object is."""

    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"  # stays so without help: Flux says Stalled


@dataclass(frozen=True, slots=True)
class Readiness:
    """One object's state and what it says about it."""

    state: State
    message: str

    @property
    def is_ready(self) -> bool:
        """Tell whether nothing is left to wait for."""
        return self.state is State.READY


def read_kustomization(item: KubernetesObject | None, *, commit: str = "") -> Readiness:
    """Judge a Kustomization; with `commit`, only that commit's build counts as applied.

    kustomize-controller marks one Unknown whenever it looks again, at each interval, for as long
    as that takes: until the new attempt has an end, that of the last one counts.
    """
    if item is None:
        return Readiness(State.WAITING, "not there")
    readiness = _read(item)
    if readiness.state is State.WAITING and _is_looked_at_again(item):
        readiness = Readiness(State.READY, "ready; being looked at again")
    if readiness.is_ready and commit:
        applied = text_at(item.raw, "status", "lastAppliedRevision")
        if not applied.endswith(commit):
            return Readiness(State.WAITING, f"applied {applied or 'nothing'}, not this commit yet")
    return readiness


def read_release(item: KubernetesObject | None) -> Readiness:
    """Judge a HelmRelease: Ready for its present spec."""
    return Readiness(State.WAITING, "not there") if item is None else _read(item)


def read_source(item: KubernetesObject | None, *, commit: str = "") -> Readiness:
    """Judge a source; with `commit`, its artifact must be that commit's."""
    if item is None:
        return Readiness(State.WAITING, "not there")
    if item.kind == "HelmRepository" and text_at(item.raw, "spec", "type") == "oci":
        return Readiness(State.READY, "static")  # Flux gives OCI HelmRepositories no status
    readiness = _read(item)
    revision = text_at(item.raw, "status", "artifact", "revision")
    if readiness.is_ready and commit and not revision.endswith(commit):
        return Readiness(State.WAITING, f"has {revision or 'nothing'}, not this commit yet")
    return readiness


def _read(item: KubernetesObject) -> Readiness:
    """Apply kstatus' rules; a failing Kustomization keeps its old observedGeneration."""
    stalled, ready = item.condition("Stalled"), item.condition("Ready")
    if item.is_terminating:
        return Readiness(State.WAITING, "is being deleted")
    if stalled and stalled.is_true and not _is_of_older_spec(stalled, item):
        return Readiness(State.FAILED, _cut(f"{stalled.reason}: {stalled.message}"))
    if ready is None:
        return Readiness(State.WAITING, "not looked at yet")
    if ready.is_true and item.observed_generation == item.generation:
        return Readiness(State.READY, _cut(ready.message))
    if ready.is_true:
        return Readiness(State.WAITING, "its new spec is not looked at yet")
    return Readiness(State.WAITING, _cut(f"{ready.reason}: {ready.message}"))


def _is_looked_at_again(item: KubernetesObject) -> bool:
    """Tell whether the last attempt succeeded, and the one under way is of the same.

    An attempt that ends before anything is built leaves no trace in the history (Flux 2.7 and
    later; fluxcd/kustomize-controller, kustomization_controller.go): it shows in an attempt that
    begins later than one interval after the success.
    """
    ready = item.condition("Ready")
    if item.is_terminating or not ready or (ready.status, ready.reason) != _LOOKING:
        return False
    applied = text_at(item.raw, "status", "lastAppliedRevision")
    last = next(iter(list_at(item.raw, "status", "history")), None)
    is_same = item.observed_generation == item.generation and (
        applied
        == text_at(last, "metadata", "revision")
        == text_at(item.raw, "status", "lastAttemptedRevision")
    )
    if not is_same or text_at(last, "lastReconciledStatus") != "ReconciliationSucceeded":
        return False
    try:
        began = datetime.fromisoformat(ready.last_transition)
        ended = datetime.fromisoformat(text_at(last, "lastReconciled"))
    except ValueError:
        return False
    return began - ended <= _read_duration(text_at(item.spec, "interval")) * _JITTER + _QUEUE


def _read_duration(written: str) -> timedelta:
    return timedelta(
        seconds=sum(float(count) * _SECONDS[unit] for count, unit in _PARTS.findall(written))
    )


def _is_of_older_spec(condition: Condition, item: KubernetesObject) -> bool:
    """Tell whether a condition speaks of a spec that was replaced, perhaps by its repair."""
    return 0 < condition.observed_generation < item.generation


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_CHARS else f"{line[:_MESSAGE_CHARS]}…"
