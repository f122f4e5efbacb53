"""Which kinds a repository uses, so that the charts the lab makes define them.

A chart of ours knows the kinds of the few operators that the lab plays. For any other operator
that `inventory.catalogue` knows, and for versions that ours lacks, the repository's own objects
say what its chart defines in life.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from inventory import Inventory
from inventory.catalogue import Origin, find_provider
from inventory.crds import BUILT_IN_GROUPS
from lab.charts.catalog import APPLICATION, CATALOG
from lab.charts.crds import Crd
from lab.charts.recipe import Recipe

__all__ = ["UsedKind", "choose_recipe", "find_used_kinds"]

_PLACES = {Origin.TEMPLATES: "templates", Origin.CRDS_FOLDER: "crds"}


@dataclass(frozen=True, slots=True, order=True)
class UsedKind:
    """A kind of custom resource with the version that an object names."""

    group: str
    kind: str
    version: str
    is_namespaced: bool


def find_used_kinds(inventory: Inventory) -> frozenset[UsedKind]:
    """Find the custom resources among a cluster's live objects."""
    found = set()
    for _, item in inventory.objects():
        group, _, version = item.api_version.rpartition("/")
        if group not in BUILT_IN_GROUPS and not group.endswith(".toolkit.fluxcd.io"):
            found.add(UsedKind(group, item.kind, version, bool(item.namespace)))
    return frozenset(found)


def choose_recipe(name: str, version: str, used: Iterable[UsedKind]) -> Recipe:
    """Choose how a chart is made, with the kinds of it that are used."""
    recipe = CATALOG.get(name, APPLICATION)
    if name == "cert-manager" and not version.removeprefix("v").startswith(("0.", "1.")):
        # TrueCharts' chart of that name (6 and later) brings the definitions unasked.
        recipe = replace(recipe, crds_in="templates")
    # In order: a chart is the same bytes each time.
    own = sorted(item for item in used if _find_place(name, item.group))
    if not own:
        return recipe
    where = recipe.crds_in if recipe.crds else _find_place(name, own[0].group)
    return replace(recipe, crds=_join(recipe.crds, own), crds_in=where)


def _find_place(name: str, group: str) -> str:
    """Return where a chart has the definitions of a group; empty when it brings none of it."""
    provider = find_provider(group)
    if provider is None or name not in provider.names:
        return ""
    return _PLACES.get(provider.origin, "")


def _join(known: Sequence[Crd], used: Sequence[UsedKind]) -> tuple[Crd, ...]:
    """Add what is used, in order, to what is known: versions of a kind, then kinds."""
    crds = {(crd.group, crd.kind): crd for crd in known}
    more: dict[tuple[str, str], list[UsedKind]] = defaultdict(list)
    for item in used:
        more[item.group, item.kind].append(item)
    for key, items in more.items():
        versions = [item.version for item in items]
        crd = crds.get(key)
        if crd is None:
            scope = "Namespaced" if any(item.is_namespaced for item in items) else "Cluster"
            crd = Crd(*key, _guess_plural(items[0].kind), (), scope)
        crds[key] = replace(crd, versions=tuple(dict.fromkeys((*crd.versions, *versions))))
    return tuple(crds.values())


def _guess_plural(kind: str) -> str:
    """Guess the plural as Kubernetes' own code generators do (`meta.UnsafeGuessKindToResource`)."""
    word = kind.lower()
    if word.endswith("s"):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
