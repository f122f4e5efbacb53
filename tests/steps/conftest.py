"""Fixtures of the step tests: simulated machines on loopback, and a world of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.lab_machines.lab_machines_world import SPEED
from tests.steps.steps_world import StepWorld, make_step_world


class MakeStepWorld(Protocol):
    """Makes worlds that are switched off when the test ends."""

    def __call__(self, names: Sequence[str], speed: float = SPEED) -> StepWorld:
        """Make machines by name, with time that runs `speed` times as fast."""
        ...


@pytest.fixture
async def make_world(tmp_path: Path) -> AsyncIterator[MakeStepWorld]:
    """Make machines by name with a talosctl that reaches them; switched off at the end."""
    worlds: list[StepWorld] = []

    def make(names: Sequence[str], speed: float = SPEED) -> StepWorld:
        worlds.append(make_step_world(names, tmp_path, speed))
        return worlds[-1]

    yield make
    for world in worlds:
        for channel in world.lab.channels:
            channel.close()
        await world.lab.machines.stop()
