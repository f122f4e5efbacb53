"""What the entries apply: built by Kustomize, expected as the inventory reads it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from inventory import Inventory, read_repository
from lab.repository import find_sample
from lifecycle.drivers.documents import JsonObject, text_at
from lifecycle.drivers.flux import Flux
from lifecycle.drivers.kustomize import Kustomize
from lifecycle.world.builds import Builds
from lifecycle.world.repository import Repository

BUILT = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: only-kustomize-knows, namespace: a}\n"


@dataclass
class FakeRepository:
    """A repository that is read already."""

    inventory: Inventory

    async def private_copy(self) -> Path:
        """Return any folder."""
        return Path("/nowhere")


@dataclass
class FakeKustomize:
    """Builds the same of everything; counts how often."""

    built: list[Path] = field(default_factory=list)

    async def build(self, folder: Path, *, overlay: JsonObject | None = None) -> bytes:
        """Build a folder."""
        del overlay
        self.built.append(folder)
        return BUILT


def make_builds(kustomize: FakeKustomize) -> Builds:
    """Builds of the sample."""
    repository = FakeRepository(read_repository(find_sample(), "main", {}))
    fakes = cast("Repository", repository), cast("Kustomize", kustomize)
    return Builds(*fakes, cast("Flux", None))


def names_of(documents: tuple[JsonObject, ...]) -> set[str]:
    """Return the names of documents."""
    return {text_at(document, "metadata", "name") for document in documents}


def test_probes_look_for_what_kustomize_built_once_it_has() -> None:
    """Where the inventory reads a tree otherwise, what was applied is what is looked for."""
    kustomize = FakeKustomize()
    builds = make_builds(kustomize)
    before = names_of(builds.expected())
    built = names_of(asyncio.run(builds.objects()))
    after = names_of(builds.expected())

    assert "only-kustomize-knows" not in before
    assert {"only-kustomize-knows"} == built == after


def test_entries_are_built_once_a_run() -> None:
    """Steps of all layers share one build of each entry."""
    kustomize = FakeKustomize()
    builds = make_builds(kustomize)

    async def build_twice() -> None:
        await asyncio.gather(builds.objects(), builds.objects())

    asyncio.run(build_twice())

    assert sorted(set(kustomize.built)) == sorted(kustomize.built)
    assert kustomize.built
