"""Step: generate machine configs and the talosconfig."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lifecycle.drivers.certificates import (
    describe_certificate,
    read_certificate,
    read_talos_ca,
)
from lifecycle.engine import Answer, Blocked, Needed, Satisfied
from lifecycle.world import World

__all__ = ["GenerateMachineConfigs"]

_RENEW_BEFORE = timedelta(days=30)  # long enough for a holiday; talosconfigs live one year


@dataclass(frozen=True, slots=True)
class GenerateMachineConfigs:
    """Safe to repeat: works in a private copy, and replaces the talosconfig in one move.

    The CA comes from the repository's talsecret, so every generation makes the same cluster.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "generate-machine-configs"
    title: str = "Generate machine configs"
    is_local: bool = True

    async def probe(self) -> Answer:
        """Compare the kept talosconfig with the repository's Talos CA."""
        wanted = self.world.repository.talos_ca
        if not wanted:
            return Blocked(
                "repository holds no Talos secrets: "
                f"`clusters/{self.world.cluster}/talos/generated/talsecret.yaml`",
                "run clustertool genconfig once, and commit talsecret.yaml encrypted: without it "
                "in Git the cluster can never be rebuilt",
            )
        held = read_talos_ca(self.world.places.talosconfig)
        if not held:
            return Needed("no talosconfig for this cluster yet")
        if held.strip() != wanted.strip():
            return Needed("kept talosconfig is of another CA")
        return self._judge_age()

    def _judge_age(self) -> Answer:
        certificate = read_certificate(self.world.places.talosconfig)
        if certificate and certificate.not_after - _RENEW_BEFORE < datetime.now(UTC):
            return Needed(f"talosconfig ends soon: {describe_certificate(certificate)}")
        return Satisfied("talosconfig of this cluster's CA")

    async def apply(self) -> None:
        """Run genconfig in the private copy."""
        await self.world.machine_configs.keep_talosconfig()
