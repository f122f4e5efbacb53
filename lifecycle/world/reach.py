"""Whether a machine's API answers, and when that changes: cheaper than asking it something."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.clock import Clock
from lifecycle.drivers.ports import is_listening

__all__ = ["Reach"]

_TALOS_PORT = 50000
_LOOK_S = 1.0  # own seconds between two looks; a connection without a call costs next to nothing


@dataclass(slots=True)
class Reach:
    """Remembers what the last call met, so that a change right after it is not missed.

    A machine under way shows everything that matters in it: its API goes away and comes back
    with each boot, and before that with its new certificates.
    """

    clock: Clock
    address: str  # the dialled one
    was_answering: bool | None = None  # nobody asked yet

    async def wait_for_change(self) -> None:
        """Return once the API answers, or no longer answers, unlike at the last call."""
        while await is_listening(self.address, _TALOS_PORT) is self.was_answering:
            await self.clock.sleep(_LOOK_S)
