"""What a line can be made to suffer, by name, and what follows from all of it together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FLAP_DOWN_S", "FLAP_UP_S", "Condition", "LineFault", "judge"]

# Simulated seconds of a link that comes and goes: shorter than any patience, longer than a call.
FLAP_DOWN_S = 6.0
FLAP_UP_S = 12.0
# Simulated: a satellite's way there, and what a bad cell or a full uplink leaves.
_SLOW_LATENCY_S = 0.6
_SLOW_BYTES_PER_S = 16_000.0


class LineFault(StrEnum):
    """A switch on a machine's line; off unless `Line.set_fault` turns it on."""

    PARTITIONED = "partitioned"
    """Nothing arrives and nothing leaves: no answer, not even a refusal."""
    SLOWED = "slowed"
    """Everything arrives late, and little of it a second."""
    CUT = "cut"
    """Connections break, and new ones are refused."""
    FLAPPING = "flapping"
    """The link goes down for some seconds, again and again."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a line is now: simulated seconds of delay, simulated bytes a second (0: any number)."""

    is_silent: bool = False
    is_cut: bool = False
    latency_s: float = 0.0
    bytes_per_s: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Tell whether everything passes at once."""
        return not (self.is_silent or self.is_cut or self.latency_s or self.bytes_per_s)


def judge(faults: Collection[LineFault], *, is_down: bool) -> Condition:
    """Say what faults together make of a line; `is_down` is where a flapping link is now."""
    is_slow = LineFault.SLOWED in faults
    is_silent = LineFault.PARTITIONED in faults or is_down
    return Condition(
        is_silent=is_silent,
        is_cut=LineFault.CUT in faults and not is_silent,
        latency_s=_SLOW_LATENCY_S if is_slow else 0.0,
        bytes_per_s=_SLOW_BYTES_PER_S if is_slow else 0.0,
    )
