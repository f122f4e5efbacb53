"""Checks of who decrypts: a Kustomization that applies what SOPS encrypted has to say so.

kustomize-controller 1.9.4, tried: a Secret with `stringData` is applied with its ciphertext and
counts as ready, since the controller's typed Secret forgets SOPS' stanza before it is looked for;
one with `data` is refused (`is SOPS encrypted, configuring decryption is required`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Component, Entry, Finding, JsonObject, ObjectRef
from inventory.objects import get_mapping, get_text, name_of
from inventory.rules import make_finding
from inventory.variables import is_encrypted, is_sops_document

_DISABLED: Final = "kustomize.toolkit.fluxcd.io/decrypt"


def check_decryption(facts: Facts) -> Iterator[Finding]:
    """Yield Kustomizations that apply ciphertext as it is, or are refused for it."""
    owners: list[Component | Entry] = [*facts.inventory.entries, *facts.inventory.components]
    for owner in owners:
        if get_text(owner.decryption, "provider"):
            continue
        encrypted = [item for item in owner.objects if _is_left_encrypted(facts, item)]
        if encrypted:
            message = f"`{owner.name}` has no decryption, {_describe(facts, encrypted)}"
            place = facts.locate(owner.position, "spec", "decryption")
            yield make_finding("decryption-missing", message, place)


def _is_left_encrypted(facts: Facts, item: ObjectRef) -> bool:
    told = get_text(get_mapping(item.raw, "metadata", "annotations"), _DISABLED)
    return told.lower() != "disabled" and is_sops_document(_written(facts, item))


def _written(facts: Facts, item: ObjectRef) -> JsonObject:
    """Return an object as its file has it: what was decrypted here is not so in the cluster."""
    if item.kind != "Secret":
        return item.raw
    documents = facts.tree.original_documents(item.position.path)
    found = (get_mapping(document.value) for document in documents)
    return next((value for value in found if name_of(value) == item.name), item.raw)


def _describe(facts: Facts, encrypted: list[ObjectRef]) -> str:
    first = encrypted[0]
    data = get_mapping(_written(facts, first), "data")
    is_refused = any(is_encrypted(value) for value in data.values())
    ending = (
        "which Flux therefore refuses" if is_refused else "which is applied with its ciphertext"
    )
    more = f" (and {len(encrypted) - 1} more)" if len(encrypted) > 1 else ""
    place = f"{first.position.path}:{first.position.line}"
    return f"but applies the encrypted {first} of {place}{more}, {ending}"
