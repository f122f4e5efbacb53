"""Gate: every secret in the repository decrypts."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["SecretsDecrypt"]


@dataclass(frozen=True, slots=True)
class SecretsDecrypt:
    """Found out before the first machine is touched, not when Flux stands still (pain 24)."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "secrets-decrypt"
    title: str = "Decrypt every secret in memory"

    async def probe(self) -> Answer:
        """Say what did not decrypt; it was tried when the run was prepared."""
        failures = self.world.repository.failures
        if failures:
            first = next(iter(failures.values()))
            lines = [f"{path}:1:1: {error.failure}" for path, error in sorted(failures.items())]
            return Blocked("\n".join(lines), first.hint or "check the age key with --age-key FILE")
        if not self.world.repository.age_key.reveal():
            return Blocked(
                "no age key: Flux could not decrypt anything",
                "give it with --age-key FILE or SOPS_AGE_KEY_FILE",
            )
        return Satisfied(f"{len(self.world.repository.decrypted)} files")
