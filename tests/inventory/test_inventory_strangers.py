"""Layouts that older and foreign repositories have, in small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from inventory import Severity, read_repository
from tests.inventory.inventory_files import ENTRY, base, config_map, ids, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]


def test_manifests_of_flux_itself_are_no_entry(write: Write) -> None:
    """`path: ./` of another source is that source's own; the repository is not searched for it."""
    flux = ks("flux", "./").replace("GitRepository, name: cluster", "OCIRepository, name: flux")
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "flux.yaml"),
            "flux.yaml": flux,
        }
    )
    entry = files.pop("clusters/main/kubernetes/flux-entry.yaml")
    files["clusters/main/kubernetes/kustomization.yaml"] = kustomization("flux.yaml")
    files["clusters/main/flux-entry/ks.yaml"] = entry
    inventory = read_repository(write(files), "main")

    assert ["flux-entry"] == [found.name for found in inventory.entries]


def test_entries_of_one_name_are_both_read_and_told(write: Write) -> None:
    """In the cluster they would be one object, whose pruning takes the other's things away."""
    files = base(**{"kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml")})
    files["repositories/flux-entry.yaml"] = ENTRY.replace(
        "clusters/main/kubernetes", "repositories"
    )
    files["repositories/kustomization.yaml"] = kustomization("a.yaml")
    files["repositories/a.yaml"] = config_map("a")
    inventory = read_repository(write(files), "main")

    assert {"clusters/main/kubernetes", "repositories"} == {e.path for e in inventory.entries}
    assert "entry-named-twice" in ids(inventory)


def test_what_source_controller_leaves_out_is_not_applied(write: Write) -> None:
    """Files of CI services are not in the artifact that Flux builds where nothing is listed."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "ks.yaml"),
            "ks.yaml": ks("all", "./clusters/main/kubernetes/all"),
            "all/a.yaml": config_map("a"),
            "all/.github/workflows/tests.yaml": "on: push\n",
            "all/.gitlab-ci.yml": "stages: []\n",
        }
    )
    inventory = read_repository(write(files), "main")

    assert ["a"] == [item.name for item in inventory.component("all").objects]
    assert "not-an-object" not in ids(inventory)


def test_tenant_is_only_warned_of_what_others_bring(write: Write) -> None:
    """A repository without sources and machines relies on whoever applies its entry."""
    folder = "clusters/main/kubernetes"
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: a, namespace: default}\n"
        "spec:\n  chart: {spec: {chart: a, version: 1.0.0}}\n"
        "  values: {cnpg: {main: {enabled: true}}}\n"
    )
    more = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: cluster-config}]}\n"
    files = {
        f"{folder}/flux-entry.yaml": ENTRY + more,
        f"{folder}/kustomization.yaml": kustomization("flux-entry.yaml", "a.yaml"),
        f"{folder}/a.yaml": release,
    }
    findings = read_repository(write(files), "main").findings
    wanted = {"release-without-provider", "missing-substitution-source", "missing-source"}

    assert {(name, Severity.WARNING) for name in wanted} == {
        (found.id, found.severity) for found in findings if found.id in wanted
    }
