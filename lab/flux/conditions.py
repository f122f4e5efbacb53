"""Conditions of Flux objects: `type, status, reason, message`, set the way fluxcd/pkg does."""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes.values import Json, Object, dig, grow, maps, number, text

__all__ = ["Conditions"]


class Conditions:
    """The conditions in `status.conditions` of one object, changed in place."""

    def __init__(self, obj: Object, now: Callable[[], str]) -> None:
        self._obj = obj
        self._now = now

    def find(self, kind: str) -> Object:
        """The condition of that type; an empty object when there is none."""
        found = (item for item in maps(self._obj, "status", "conditions") if item["type"] == kind)
        return next(found, {})

    def is_status(self, kind: str, status: str) -> bool:
        """Tell whether the condition exists with that status."""
        return text(self.find(kind), "status") == status

    def reason(self, kind: str) -> str:
        """The condition's reason, "" when there is none."""
        return text(self.find(kind), "reason")

    def message(self, kind: str) -> str:
        """The condition's message, "" when there is none."""
        return text(self.find(kind), "message")

    def mark(self, kind: str, status: str, reason: str, message: str) -> None:
        """Set a condition; Stalled and Reconciling exclude each other, as in fluxcd/pkg."""
        before = self.find(kind)
        made: Object = {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message[:20000],
            "observedGeneration": number(self._obj, "metadata", "generation"),
            "lastTransitionTime": self._now(),
        }
        if (before.get("status"), before.get("reason")) == (status, reason):
            made["lastTransitionTime"] = before.get("lastTransitionTime", self._now())
        self.drop(kind)
        if status == "True" and kind in {"Stalled", "Reconciling"}:
            self.drop("Reconciling" if kind == "Stalled" else "Stalled")
        self._write([*maps(self._obj, "status", "conditions"), made])

    def drop(self, kind: str) -> None:
        """Remove a condition."""
        kept = [item for item in maps(self._obj, "status", "conditions") if item["type"] != kind]
        self._write(kept)

    def _write(self, conditions: list[Object]) -> None:
        # Flux keeps Ready in front, which is also what `kubectl get` shows first.
        ordered = sorted(conditions, key=lambda item: item["type"] != "Ready")
        written: list[Json] = [*ordered]
        grow(self._obj, "status")["conditions"] = written


def is_ready(obj: Object) -> bool:
    """Tell whether an object is Ready in its newest generation."""
    ready = any(
        item.get("type") == "Ready" and item.get("status") == "True"
        for item in maps(obj, "status", "conditions")
    )
    return ready and dig(obj, "status", "observedGeneration") == dig(obj, "metadata", "generation")
