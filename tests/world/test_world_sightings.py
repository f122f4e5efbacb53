"""What a gate saw of a machine serves the step after it, once, and not for long."""

from __future__ import annotations

from datetime import UTC, datetime

from lifecycle.world.sightings import Sightings


class FakeClock:
    """Time that stands until it is moved."""

    now_s = 100.0

    def now(self) -> datetime:
        """Not asked for."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return the time."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Not asked for."""


def test_sighting_serves_one_probe() -> None:
    """The second probe asks the machine itself: it looks for a change."""
    sightings = Sightings(FakeClock())
    sightings.note("cp-1", "running")

    assert ["running", ""] == [sightings.take("cp-1"), sightings.take("cp-1")]
    assert not sightings.take("cp-2")


def test_old_sighting_is_worth_nothing() -> None:
    """Seconds later, the machine may be another."""
    clock = FakeClock()
    sightings = Sightings(clock)
    sightings.note("cp-1", "running")
    clock.now_s += 11.0

    assert not sightings.take("cp-1")
