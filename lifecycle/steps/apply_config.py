"""Step: give a machine in maintenance mode its machine config."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from inventory import Node
from lifecycle.drivers.talosctl import Failure, TalosctlError
from lifecycle.engine import Answer, Needed, Patience, Satisfied, Unknown
from lifecycle.errors import PermanentError, TransientError
from lifecycle.world import World
from lifecycle.world.reach import Reach

__all__ = ["ApplyMachineConfig"]

_BOOTED = frozenset({"booting", "running"})
# What a machine in maintenance mode makes of a call with certificates, or without a talosconfig.
_MAYBE_MAINTENANCE = frozenset({Failure.UNKNOWN_AUTHORITY, Failure.CLIENT, Failure.NO_TALOSCONFIG})


@dataclass(frozen=True, slots=True)
class ApplyMachineConfig:
    """Installs Talos on the machine's disk and lets it boot from there.

    Safe to repeat: only a machine that answers without a client certificate is in maintenance
    mode, and only such a machine is given a config. A machine under way
    (installing, rebooting, not answering) is waited for, never asked again.
    """

    world: World
    node: Node
    after: tuple[str, ...] = ()
    patience: Patience = Patience(
        # A slow installer image pull and a server's POST may show nothing new for minutes.
        stall=timedelta(minutes=15),
        deadline=timedelta(minutes=45),
    )
    _reach: Reach = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        address = self.world.addresses.dial(self.node.address)
        object.__setattr__(self, "_reach", Reach(self.world.clock, address))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"apply-machine-config/{self.node.hostname}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Apply machine config to {self.node.hostname}"

    @property
    def lane(self) -> str:
        """Machines install side by side, within the run's limit."""
        return "machines"

    @property
    def hint(self) -> str:
        """What to look at when the machine does not come back."""
        return (
            f"look at the machine's console, and talosctl -n {self.node.address} dmesg; its "
            f"address and disk are declared at {self.node.position}"
        )

    async def probe(self) -> Answer:
        """Booted from its disk, in maintenance, or somewhere between.

        What its recognition has just seen is not asked again: a machine that has moved on since
        refuses an insecure config, and one that was running is looked at by all that follows.
        """
        seen = self.world.sightings.take(self.node.hostname)
        if seen == "running":
            return Satisfied("installed, running")
        if seen == "maintenance":
            return Needed("machine is in maintenance mode")
        try:
            status = await self.world.talosctl.machine_status(self.node.address)
        except TalosctlError as error:
            self._reach.was_answering = not error.failure.is_unreachable
            return await self._judge_failure(error)
        self._reach.was_answering = True
        if status.stage not in _BOOTED:
            return Unknown(status.stage)
        if status.stage == "booting" and not await self._is_installed():
            # Between taking the config and installing, the machine says `booting`, too.
            return Unknown("booting, not installed yet")
        return Satisfied(f"installed, {status.stage}")

    async def wait_for_news(self) -> None:
        """Return when the machine's API came or went: each stage of its way ends with that."""
        await self._reach.wait_for_change()

    async def _is_installed(self) -> bool:
        return bool(await self.world.talosctl.get(self.node.address, "systemdisk"))

    async def _judge_failure(self, error: TalosctlError) -> Answer:
        if error.failure not in _MAYBE_MAINTENANCE:
            return Unknown(str(error.failure))
        try:
            status = await self.world.talosctl.machine_status(self.node.address, insecure=True)
        except TalosctlError as insecure_error:
            return Unknown(str(insecure_error.failure))
        return Needed(f"machine is in {status.stage} mode")

    async def apply(self) -> None:
        """Send the config over the insecure API, which is all that the machine offers yet."""
        path = await self.world.machine_configs.path_of(self.node.hostname)
        try:
            await self.world.talosctl.apply_config(self.node.address, path, insecure=True)
        except TalosctlError as error:
            if error.failure is Failure.INVALID:
                raise PermanentError(
                    error.message, step=self.name, hint=_hint_of(self.node)
                ) from error
            # Whether a cut call arrived is for the next probe to say.
            raise TransientError(error.message, step=self.name) from error


def _hint_of(node: Node) -> str:
    return f"the machine refused its config; correct {node.position} or the patches it names"
