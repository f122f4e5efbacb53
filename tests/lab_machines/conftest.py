"""Fixtures of the simulated machines' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from tests.lab_machines.lab_machines_world import SPEED, TALOS, MakeWorld, World, make_world_of


@pytest.fixture
async def make_world() -> AsyncIterator[MakeWorld]:
    """Make worlds of machines by name; they are switched off when the test ends."""
    worlds: list[World] = []

    def make(names: Sequence[str], speed: float = SPEED, *, talos_version: str = TALOS) -> World:
        world = make_world_of(names, speed, talos_version=talos_version)
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        for channel in world.channels:
            channel.close()
        await world.machines.stop()
