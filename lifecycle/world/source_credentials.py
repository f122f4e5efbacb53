"""The credentials with which Flux will read its sources, for git and helm of this machine.

What Flux is going to ask with is asked with here: a deploy key that its host refuses shows before
the first machine is touched, and charts of private repositories can be fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from inventory import Component, Entry, Inventory, ObjectRef, Source
from inventory.substitution import SubstitutionError, substitute_object
from lifecycle.drivers.credentials import (
    Credential,
    GitAccess,
    HelmAccess,
    make_git_access,
    make_helm_access,
)
from lifecycle.drivers.documents import JsonObject, flag_at, text_at

__all__ = ["SourceCredentials"]


@dataclass(frozen=True, slots=True)
class SourceCredentials:
    """Reads Secrets of the repository, as far as they are decrypted; `folder` must be private."""

    inventory: Inventory
    folder: Path

    def find_secret(self, source: Source) -> ObjectRef | None:
        """Return the Secret that a source names; None when the repository does not hold it."""
        found = self._find(source.namespace, source.secret)
        return found[1] if found else None

    async def git(self, source: Source) -> GitAccess | None:
        """Return how git reads a source as Flux will; None when nothing is known of that."""
        held = self._read(source)
        if held is None:
            return None
        return await asyncio.to_thread(make_git_access, source.url, held, self._place(source))

    async def helm(self, source: Source) -> HelmAccess | None:
        """Return how helm reads a source of charts as Flux will; None when it needs nothing."""
        held = self._read(source)
        if held is None:
            return None
        pass_on = flag_at(source.raw, "spec", "passCredentials")
        place = self._place(source)
        return await asyncio.to_thread(make_helm_access, source.url, held, place, pass_on=pass_on)

    def _place(self, source: Source) -> Path:
        words = f"{source.kind}/{source.namespace}/{source.name}"
        return self.folder / hashlib.sha256(words.encode()).hexdigest()[:12]

    def _read(self, source: Source) -> Credential | None:
        """Return what the Secrets of a source hold; None when the repository has none of them."""
        names = (source.secret, text_at(source.raw, "spec", "certSecretRef", "name"))
        found = [self._find(source.namespace, name) for name in names if name]
        secrets = [self._substitute(*pair) for pair in found if pair is not None]
        return Credential.of(*secrets) if secrets else None

    def _find(self, namespace: str, name: str) -> tuple[Component | Entry, ObjectRef] | None:
        parts: list[Component | Entry] = [*self.inventory.entries, *self.inventory.components]
        for part in parts:
            for item in part.objects:
                if (item.kind, item.name) == ("Secret", name) and item.namespace in ("", namespace):
                    return part, item
        return None

    def _substitute(self, part: Component | Entry, secret: ObjectRef) -> JsonObject:
        """Return a Secret with the cluster's variables put in."""
        known = self.inventory.variables.substitution(part.substitute_from)
        try:
            return substitute_object(secret.raw, {**known, **part.substitute})
        except SubstitutionError:
            return secret.raw  # Flux would not apply it; what it holds is looked at as it stands
