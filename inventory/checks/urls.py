"""Checks of the URLs of sources, as the CRDs of Flux 2 and source-controller judge them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from inventory.checks.facts import Facts
from inventory.flux import SOURCE_GROUP
from inventory.model import Finding, JsonObject
from inventory.objects import get_text
from inventory.rules import make_finding

_OCI: Final = "oci://"
_SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "GitRepository": ("http://", "https://", "ssh://"),
    "HelmRepository": ("http://", "https://", _OCI),
    "OCIRepository": (_OCI,),
}


def check_urls(facts: Facts) -> Iterator[Finding]:
    """Yield sources whose URL is refused, or of another sort than their type."""
    for kind, schemes in _SCHEMES.items():
        for _, item in facts.of_kind(kind):
            url = facts.fill(get_text(item.raw, "spec", "url"))
            if item.group != SOURCE_GROUP or not url or url.startswith("$"):
                continue
            reason = _judge(item.raw, url, schemes)
            if reason:
                message = f"{item} can never be fetched: {reason}: `{url}`"
                place = facts.locate(item.position, "spec", "url")
                yield make_finding("source-url-refused", message, place)


def _judge(raw: JsonObject, url: str, schemes: tuple[str, ...]) -> str:
    """Return why a URL does not do; empty when it does."""
    if not url.startswith(schemes):
        return f"its URL must begin with {' or '.join(schemes)}"
    if get_text(raw, "kind") != "HelmRepository":
        return ""
    is_oci = get_text(raw, "spec", "type") == "oci"
    if url.startswith(_OCI) and not is_oci:
        return "a registry needs `type: oci`"
    return "`type: oci` needs a URL of a registry" if is_oci and not url.startswith(_OCI) else ""
