"""What recognising a machine says of one that hangs."""

from __future__ import annotations

from lifecycle.engine import Unknown
from lifecycle.gates.machine import MachineIsKnown
from tests.steps.conftest import MakeStepWorld, make_world

__all__ = ["make_world"]  # the fixture


async def test_machine_that_never_answers_is_told_from_one_that_is_off(
    make_world: MakeStepWorld,
) -> None:
    """The fault `silent`: the connection is accepted, and no answer ever comes."""
    steps = make_world(["cp1"])
    steps.lab.machines["cp1"].set_fault("silent")
    await steps.lab.machines.start()
    world = steps.hurry(1.0)
    answer = await MachineIsKnown(world, world.first_control_plane).probe()

    assert Unknown("10.77.0.11 does not answer: no answer in time") == answer
