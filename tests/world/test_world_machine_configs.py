"""Machine configs: generated once, readable at once, given away only when they are valid."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from lifecycle.drivers.clustertool import GeneratedConfigs
from lifecycle.drivers.process import Runner
from lifecycle.drivers.talosctl import Talosctl
from lifecycle.drivers.tools import Tools
from lifecycle.errors import LifecycleError
from lifecycle.world.machine_configs import MachineConfigs
from lifecycle.world.repository import Repository


class _Validator:
    """A talosctl that refuses every config once `gate` is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0

    async def validate(self, config: Path) -> None:
        self.asked += 1
        await self.gate.wait()
        raise LifecycleError(f"invalid: `{config.name}`")


class _Configs(MachineConfigs):
    """Whose genconfig is counted, and makes one config."""

    made = 0

    async def _run_genconfig(self) -> GeneratedConfigs:
        self.made += 1
        await asyncio.sleep(0)
        return GeneratedConfigs(Path("talosconfig"), {"cp1": Path("cp1.yaml")}, Path("talsecret"))


async def test_configs_are_read_while_they_are_validated_and_applied_only_after() -> None:
    """Who only looks does not wait for talosctl; who is to apply one does, and hears what it says.

    Both ask genconfig for the one generation of the run.
    """
    validator = _Validator()
    configs = _Configs(
        cast("Repository", None),
        cast("Tools", None),
        cast("Runner", None),
        cast("Talosctl", validator),
        Path("talosconfig"),
    )
    applying = asyncio.create_task(configs.path_of("cp1"))

    assert Path("cp1.yaml") == await configs.draft_of("cp1")
    assert not applying.done()
    validator.gate.set()
    with pytest.raises(LifecycleError, match="invalid"):
        await applying
    assert (1, 1) == (configs.made, validator.asked)
