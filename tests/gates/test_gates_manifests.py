"""The gate that builds everything while the machines install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from inventory import Release
from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Satisfied
from lifecycle.errors import InventoryError
from lifecycle.gates.manifests import ManifestsBuild
from lifecycle.world import World

RELEASE = cast("Release", SimpleNamespace(name="longhorn", id="longhorn/longhorn"))
CNI = cast("Release", SimpleNamespace(name="cilium"))


@dataclass
class Builders:
    """Stands for the builds and the charts of a world; counts what is asked of it."""

    fails: bool = False
    refuses: bool = False
    asked: list[str] = field(default_factory=list)

    async def objects(self) -> tuple[JsonObject, ...]:
        """Build the entries, or fail as Kustomize would."""
        self.asked.append("objects")
        if self.fails:
            raise InventoryError("entry does not build: `flux-entry`", path="a.yaml", line=3)
        return ({}, {})

    async def flux_manifests(self) -> tuple[JsonObject, ...]:
        """Build Flux."""
        self.asked.append("flux")
        return ({},)

    async def learn_crd_kinds(
        self, releases: Sequence[Release]
    ) -> Mapping[str, tuple[JsonObject, ...] | InventoryError]:
        """Render the CRDs of charts, or fail as Helm would."""
        self.asked += [f"kinds of {release.name}" for release in releases]
        refused = InventoryError("chart does not render: `longhorn`", path="b.yaml", line=5)
        kinds: tuple[JsonObject, ...] | InventoryError = refused if self.refuses else ({}, {}, {})
        return {release.id: kinds for release in releases}

    async def render_owned(self, release: Release) -> list[JsonObject]:
        """Render a chart."""
        self.asked.append(release.name)
        return []


def gate_of(builders: Builders, cache: Path, commit: str = "c0ffee") -> ManifestsBuild:
    """The gate over these builders."""
    world = SimpleNamespace(
        builds=builders,
        charts=builders,
        tools=SimpleNamespace(found={"kubectl": SimpleNamespace(version="1.36.3")}),
        repository=SimpleNamespace(commit=commit),
        places=SimpleNamespace(cache=cache),
    )
    return ManifestsBuild(cast("World", world), (RELEASE,), (CNI,))


async def test_manifests_are_built_before_anything_needs_them(tmp_path: Path) -> None:
    """Entries, Flux and the CRDs of charts: what later steps apply, they find built."""
    builders = Builders()
    answer = await gate_of(builders, tmp_path).probe()

    assert (
        Satisfied("2 objects, 3 CRDs of charts, 1 of Flux"),
        {"objects", "flux", "kinds of longhorn", "cilium"},
    ) == (
        answer,
        set(builders.asked),
    )


async def test_manifests_of_a_commit_are_built_once(tmp_path: Path) -> None:
    """A second run builds nothing; the CNI's step needs the kinds, which are kept on disk."""
    await gate_of(Builders(), tmp_path).probe()
    again = Builders()
    await gate_of(again, tmp_path).probe()

    assert ["kinds of longhorn"] == again.asked


async def test_chart_that_does_not_render_is_named_before_it_is_needed(tmp_path: Path) -> None:
    """The error is that chart's own, and nothing is kept."""
    with pytest.raises(InventoryError, match="chart does not render: `longhorn`"):
        await gate_of(Builders(refuses=True), tmp_path).probe()

    assert not (tmp_path / "builds").exists()


async def test_manifests_of_another_commit_are_built_anew(tmp_path: Path) -> None:
    """What built before says nothing about other files."""
    await gate_of(Builders(), tmp_path).probe()
    changed = Builders()
    await gate_of(changed, tmp_path, commit="decaf").probe()

    assert "objects" in changed.asked


async def test_manifests_that_do_not_build_name_the_place(tmp_path: Path) -> None:
    """The run ends with the builder's own words, and tries again the next time."""
    with pytest.raises(InventoryError, match="flux-entry"):
        await gate_of(Builders(fails=True), tmp_path).probe()
    repaired = Builders()
    await gate_of(repaired, tmp_path).probe()

    assert "objects" in repaired.asked
