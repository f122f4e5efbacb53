"""Whole repositories through the lab's Flux: what becomes Ready, and what does not."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
import yaml

from lab.charts import build_charts, find_wanted_charts
from lab.charts.crds import make_crd, make_crds
from lab.kubernetes.values import Json, Object, name_of
from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools
from tests.lab_flux.flux_world import (
    HELM_RELEASE,
    KUSTOMIZATION,
    FluxWorld,
    condition,
    is_ready,
    run_world,
)

_SHARED = Path(__file__).parents[3] / "shared" / "data"
_FLUX = "clusters/main/kubernetes/flux-system/flux"
# What a bootstrap applies before Flux: definitions of live manifests (Longhorn's and the
# snapshot controller's come from their charts), and those that no chart brings.
_FIRST = (
    *make_crds("longhorn.io", ("v1beta2",), "RecurringJob"),
    *make_crds(
        "snapshot.storage.k8s.io",
        ("v1",),
        "VolumeSnapshotClass/volumesnapshotclasses",
        scope="Cluster",
    ),
    *make_crds("upgrade.cattle.io", ("v1",), "Plan"),
    *make_crds("talos.dev", ("v1alpha1",), "ServiceAccount"),
)


async def _bootstrap(world: FluxWorld, repository: MaterializedRepository) -> None:
    """Put there what Flux alone would miss, then the entries."""
    tools = LabTools(env=repository.env)
    await world.apply_namespaces(
        *("cert-manager", "cloudnative-pg", "kubernetes-reflector", "snapshot-controller")
    )
    await world.apply(*(make_crd(crd) for crd in _FIRST))
    for crd in _FIRST:
        await world.until(
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            crd.name,
            "",
            lambda obj: "status" in obj,
        )
    assert repository.age_key_file is not None
    key = base64.b64encode(repository.age_key_file.read_bytes()).decode()
    await world.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "sops-age", "namespace": "flux-system"},
            "data": {"age.agekey": key},
        }
    )
    for name in ("clustersettings.secret.yaml", "deploykey.secret.yaml"):
        clear = tools.run("sops", "decrypt", f"{_FLUX}/{name}", cwd=repository.path)
        await world.apply(_encode(yaml.safe_load(clear)))
    for name in ("repositories/git/this-repo.yaml", "repositories/flux-entry.yaml"):
        await world.apply(yaml.safe_load((repository.path / name).read_text()))
    await world.apply(
        yaml.safe_load((repository.path / f"{_FLUX}/upgradesettings.yaml").read_text())
    )
    entry = "clusters/main/kubernetes/flux-entry.yaml"
    await world.apply(yaml.safe_load((repository.path / entry).read_text()))


def _encode(obj: Object) -> Object:
    """Turn stringData into data, as the API server would."""
    clear = obj.pop("stringData", None)
    if isinstance(clear, dict):
        data: dict[str, Json] = {
            key: base64.b64encode(str(value).encode()).decode() for key, value in clear.items()
        }
        obj["data"] = data
    return obj


async def _collect(world: FluxWorld, broken: set[str]) -> dict[str, tuple[str, str, str]]:
    """Wait until all but `broken` are Ready, poking what failed; returns what is not."""
    left: dict[str, tuple[str, str, str]] = {}
    for round_ in range(200):
        left = {}
        for kind in (KUSTOMIZATION, HELM_RELEASE):
            for obj in await world.client.list(*kind):
                if not is_ready(obj):
                    left[f"{kind[1]}/{name_of(obj)}"] = condition(obj, "Ready")
        if round_ > 10 and {*left} == broken:
            return left
        for name, (_, reason, _) in left.items():
            kind_name, _, simple = name.partition("/")
            if kind_name == "Kustomization" and reason == "ReconciliationFailed":
                await world.request(KUSTOMIZATION, simple, "flux-system", str(round_))
        await asyncio.sleep(0.2)
    return left


@pytest.mark.parametrize("tree", ["sample", "nomenator"])
async def test_everything_becomes_ready(tree: str, tmp_path: Path, helm_tools: LabTools) -> None:
    """All but the component whose source does not exist is Ready."""
    source = find_sample() if tree == "sample" else _SHARED / "repos" / tree
    if not source.is_dir():
        pytest.skip("needs ../shared/data/repos")
    repository = materialize(source, tmp_path / "repository", helm_tools)
    cache = tmp_path / "charts"
    real = [_SHARED / "charts"] if (_SHARED / "charts").is_dir() else []
    build_charts(find_wanted_charts(source), cache, real)
    tools = LabTools(env=repository.env)
    # Slow enough that not everything reconciles anew (each 10 min) while the rest goes on.
    async with run_world(tmp_path / "work", tools, cache, speed=30.0) as world:
        await _bootstrap(world, repository)
        broken = (
            set()
            if tree == "sample"
            else {
                "Kustomization/tuppr",
                "Kustomization/tuppr-plans",
                "HelmRelease/tuppr",
            }
        )
        left = await _collect(world, broken)

    assert left == {name: left.get(name) for name in sorted(broken)}
