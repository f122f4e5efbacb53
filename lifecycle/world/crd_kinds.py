"""What a CRD defines, as a value and as it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject, as_object, list_at, text_at, texts_at

__all__ = ["CrdKind", "describe_kind", "parse_kind"]


@dataclass(frozen=True, slots=True)
class CrdKind:
    """What a CRD defines; `versions` are the served ones."""

    name: str
    group: str
    versions: tuple[str, ...]
    kind: str


def describe_kind(crd: JsonObject) -> JsonObject:
    """Return what a CRD defines as it is kept on disk."""
    versions = [v for v in list_at(crd, "spec", "versions") if as_object(v).get("served")]
    return {
        "name": text_at(crd, "metadata", "name"),
        "group": text_at(crd, "spec", "group"),
        "versions": [text_at(version, "name") for version in versions],
        "kind": text_at(crd, "spec", "names", "kind"),
    }


def parse_kind(item: JsonObject) -> CrdKind:
    """Read what `describe_kind` made."""
    versions = texts_at(item, "versions")
    return CrdKind(text_at(item, "name"), text_at(item, "group"), versions, text_at(item, "kind"))
