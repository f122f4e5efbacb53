"""Gate: every secret in the repository decrypts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["SecretsDecrypt"]

# SOPS' own key: of YAML, of JSON, and the first of dotenv files.
_STANZAS = ("sops:", 'sops":', "sops_")


@dataclass(frozen=True, slots=True)
class SecretsDecrypt:
    """Found out before the first machine is touched, not when Flux stands still."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "secrets-decrypt"
    title: str = "Decrypt every secret in memory"

    async def probe(self) -> Answer:
        """Say what did not decrypt; it was tried when the run was prepared."""
        repository = self.world.repository
        if not repository.age_key.reveal():
            count = len(repository.failures) + len(repository.decrypted)
            return Blocked(
                f"no age key, and {count} file(s) are encrypted: Flux could not decrypt them",
                "give it with --age-key FILE or SOPS_AGE_KEY_FILE, or put it into age.agekey "
                "beside .sops.yaml",
            )
        failures = repository.failures
        if failures:
            first = next(iter(failures.values()))
            lines = [
                f"{path}:{_find_stanza(repository.root / path)}:1: {error.failure}"
                for path, error in sorted(failures.items())
            ]
            return Blocked("\n".join(lines), first.hint or "check the age key with --age-key FILE")
        return Satisfied(f"{len(self.world.repository.decrypted)} files")


def _find_stanza(file: Path) -> int:
    """Return the line of SOPS' own stanza, which lists the recipients; 1 when there is none."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    numbered = enumerate(lines, 1)
    return next((n for n, line in numbered if line.lstrip(' "').startswith(_STANZAS)), 1)
