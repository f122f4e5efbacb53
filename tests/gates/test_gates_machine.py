"""What recognising a machine says of one that hangs."""

from __future__ import annotations

from pathlib import Path

from lifecycle.engine import Blocked, Unknown
from lifecycle.gates.machine import MachineIsKnown
from tests.steps.conftest import MakeStepWorld, make_world

TOO_OLD = (
    "10.77.0.11: error getting server version: rpc error: code = Unimplemented desc = "
    "API is not implemented in maintenance mode"
)

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


async def test_machine_that_is_too_old_for_talosctl_is_told_from_a_silent_one(
    make_world: MakeStepWorld, tmp_path: Path
) -> None:
    """What talosctl 1.14 says of a machine in maintenance of Talos 1.12, seen with both."""
    steps = make_world(["cp1"])
    stub = tmp_path / "talosctl"
    stub.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'*--insecure*) echo "{TOO_OLD}" >&2;;\n'
        "*) echo 'tls: x509: certificate signed by unknown authority' >&2;;\n"
        "esac\n"
        "exit 1\n"
    )
    stub.chmod(0o755)
    world = steps.with_talosctl(str(stub))
    answer = await MachineIsKnown(world, world.first_control_plane).probe()

    assert isinstance(answer, Blocked)
    assert answer.reason.startswith(
        "machine runs a Talos that this talosctl cannot look at: `10.77.0.11`: "
    )
    assert answer.reason.endswith(TOO_OLD)
