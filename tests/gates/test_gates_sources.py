"""Which sources are waited for before the first layer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import cast

from inventory import Source
from inventory.model import SourceKey
from lifecycle.drivers.documents import Json, JsonObject
from lifecycle.drivers.flux import Flux
from lifecycle.drivers.kustomize import Kustomize
from lifecycle.gates.sources import SourcesAreReady
from lifecycle.world import Options, World
from lifecycle.world.builds import Builds
from lifecycle.world.repository import Repository


def source(name: str, component: str, *, suspend: bool = False, **spec: Json) -> Source:
    """An OCIRepository that a component, or an entry, applies."""
    key = SourceKey("OCIRepository", "flux-system", name)
    url = f"oci://lab.example/{name}"
    return Source(key, url, "", {}, component=component, suspend=suspend, raw={"spec": spec})


def sources_world(*sources: Source, held: Collection[str] = ()) -> World:
    """A world whose releases use each source; `held` are Secrets that its entry applies itself."""
    inventory = SimpleNamespace(
        entries=(SimpleNamespace(name="flux-entry", source=None),),
        components=(),
        releases=[SimpleNamespace(source=s.key, component="app") for s in sources],
        sources=sources,
    )
    secrets: Sequence[JsonObject] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "flux-system", "name": n}}
        for n in held
    ]
    builds = Builds(cast("Repository", None), cast("Kustomize", None), cast("Flux", None))
    builds._entries = tuple(secrets)
    parts = SimpleNamespace(inventory=inventory, options=Options(), builds=builds)
    return cast("World", parts)


def test_sources_that_a_component_brings_are_not_waited_for_before_it() -> None:
    """Many repositories keep a chart's source beside its release; nothing has applied it yet."""
    sources = (
        source("shared", "flux-entry"),
        source("own", "app"),
        source("put-away", "flux-entry", suspend=True),
        source("unused", "flux-entry"),
    )
    world = sources_world(*sources)
    cast("SimpleNamespace", world.inventory).releases.pop()

    assert sources[:1] == tuple(SourcesAreReady(world)._wanted())


def test_sources_whose_secret_comes_later_are_not_waited_for_before_it() -> None:
    """Before Flux only such Secrets are placed as the entries apply themselves."""
    sources = (
        source("open", "flux-entry"),
        source("placed", "flux-entry", secretRef={"name": "pull"}),
        source("made-later", "flux-entry", secretRef={"name": "external"}),
        source("half", "flux-entry", secretRef={"name": "pull"}, certSecretRef={"name": "ca"}),
    )
    world = sources_world(*sources, held=("pull", "other"))

    assert ["open", "placed"] == [item.name for item in SourcesAreReady(world)._wanted()]
