"""What machines said a moment ago, so that two probes in a row ask them once."""

from __future__ import annotations

from dataclasses import dataclass, field

from lifecycle.clock import Clock

__all__ = ["Sightings"]

_FRESH_S = 10.0  # own seconds: what talosctl takes to give up on a silent host, halved


@dataclass(slots=True)
class Sightings:
    """Keeps the stage in which a machine was seen: for one probe that follows at once.

    Nothing is concluded from an older one, or from the same one twice.
    """

    clock: Clock
    _seen: dict[str, tuple[float, str]] = field(default_factory=dict)

    def note(self, hostname: str, stage: str) -> None:
        """Keep that a machine was just seen in a stage."""
        self._seen[hostname] = (self.clock.monotonic_s(), stage)

    def take(self, hostname: str) -> str:
        """Return the stage in which a machine was seen a moment ago, once; empty otherwise."""
        at_s, stage = self._seen.pop(hostname, (float("-inf"), ""))
        return stage if self.clock.monotonic_s() - at_s <= _FRESH_S else ""
