"""What a release's chart and values ask of other releases, read without rendering.

Covers the conventions of TrueCharts' common library, which most repositories of this kind use:
`cnpg`, `persistence.*.volsync`, `ingress.*.integrations.certManager`; and charts whose only purpose
is to configure another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inventory.model import JsonObject, Release
from inventory.objects import get, get_flag, get_mapping

_CONFIGURES: Final = {"metallb-config": "metallb.io", "clusterissuer": "cert-manager.io"}


@dataclass(frozen=True, slots=True)
class Need:
    """An API group whose custom resources a release will hold.

    Attributes:
        keys: Where in the HelmRelease it says so.
    """

    group: str
    keys: tuple[str, ...]


def find_needs(release: Release) -> Iterator[Need]:
    """Yield each API group once, with the first place that asks for it."""
    seen: set[str] = set()
    for need in _needs(release):
        if need.group not in seen:
            seen.add(need.group)
            yield need


def _needs(release: Release) -> Iterator[Need]:
    if release.chart in _CONFIGURES:
        yield Need(_CONFIGURES[release.chart], ("spec",))
    values = release.values
    for name, item in _enabled(get_mapping(values, "cnpg")):
        if item:
            yield Need("postgresql.cnpg.io", ("spec", "values", "cnpg", name))
    for name, item in _enabled(get_mapping(values, "persistence")):
        if get(item, "volsync"):
            yield Need("volsync.backube", ("spec", "values", "persistence", name, "volsync"))
    for name, item in _enabled(get_mapping(values, "ingress")):
        if get_flag(item, "integrations", "certManager", "enabled"):
            yield Need("cert-manager.io", ("spec", "values", "ingress", name, "integrations"))


def _enabled(items: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for name, item in items.items():
        if isinstance(item, dict) and item.get("enabled") is not False:
            yield name, item
