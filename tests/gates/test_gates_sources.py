"""Which sources are waited for before the first layer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from inventory import Source
from inventory.model import SourceKey
from lifecycle.gates.sources import SourcesAreReady
from lifecycle.world import Options, World


def source(name: str, component: str, *, suspend: bool = False) -> Source:
    """An OCIRepository that a component, or an entry, applies."""
    key = SourceKey("OCIRepository", "flux-system", name)
    return Source(key, f"oci://lab.example/{name}", "", {}, component=component, suspend=suspend)


def test_sources_that_a_component_brings_are_not_waited_for_before_it() -> None:
    """Many repositories keep a chart's source beside its release; nothing has applied it yet."""
    sources = (
        source("shared", "flux-entry"),
        source("own", "app"),
        source("put-away", "flux-entry", suspend=True),
        source("unused", "flux-entry"),
    )
    releases = [SimpleNamespace(source=s.key, component="app") for s in sources[:3]]
    inventory = SimpleNamespace(
        entries=(SimpleNamespace(name="flux-entry"),),
        components=(),
        releases=releases,
        sources=sources,
    )
    world = cast("World", SimpleNamespace(inventory=inventory, options=Options()))

    assert sources[:1] == tuple(SourcesAreReady(world)._wanted())
