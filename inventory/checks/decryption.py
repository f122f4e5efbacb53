"""Checks of who decrypts: a Kustomization that applies what SOPS encrypted has to say so.

kustomize-controller 1.9.4, tried: a Secret with `stringData` is applied with its ciphertext and
counts as ready, since the controller's typed Secret forgets SOPS' stanza before it is looked for;
one with `data` is refused (`is SOPS encrypted, configuring decryption is required`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Component, Entry, Finding, ObjectRef
from inventory.objects import get_mapping, get_text
from inventory.rules import make_finding
from inventory.variables import is_encrypted, is_sops_document

_DISABLED: Final = "kustomize.toolkit.fluxcd.io/decrypt"


def check_decryption(facts: Facts) -> Iterator[Finding]:
    """Yield Kustomizations that apply ciphertext as it is, or are refused for it."""
    owners: list[Component | Entry] = [*facts.inventory.entries, *facts.inventory.components]
    for owner in owners:
        if get_text(owner.decryption, "provider"):
            continue
        encrypted = [item for item in owner.objects if _is_left_encrypted(item)]
        if encrypted:
            message = f"`{owner.name}` has no decryption, {_describe(encrypted)}"
            place = facts.locate(owner.position, "spec", "decryption")
            yield make_finding("decryption-missing", message, place)


def _is_left_encrypted(item: ObjectRef) -> bool:
    told = get_text(get_mapping(item.raw, "metadata", "annotations"), _DISABLED)
    return is_sops_document(item.raw) and told.lower() != "disabled"


def _describe(encrypted: list[ObjectRef]) -> str:
    first = encrypted[0]
    is_refused = any(is_encrypted(value) for value in get_mapping(first.raw, "data").values())
    ending = (
        "which Flux therefore refuses" if is_refused else "which is applied with its ciphertext"
    )
    more = f" (and {len(encrypted) - 1} more)" if len(encrypted) > 1 else ""
    place = f"{first.position.path}:{first.position.line}"
    return f"but applies the encrypted {first} of {place}{more}, {ending}"
