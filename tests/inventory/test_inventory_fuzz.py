"""Repositories of junk: nothing raises, nothing hangs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory import infer_edges, order_components, read_repository
from inventory.summary import summarise

FOLDER = "clusters/main/kubernetes"
NAMES = (
    f"{FOLDER}/flux-entry.yaml",
    f"{FOLDER}/kustomization.yaml",
    f"{FOLDER}/apps/kustomization.yaml",
    f"{FOLDER}/apps/ks.yaml",
    f"{FOLDER}/apps/app/x.yaml",
    "clusters/main/clusterenv.yaml",
    "clusters/main/talos/talconfig.yaml",
    ".sops.yaml",
)
VALID = {
    f"{FOLDER}/flux-entry.yaml": (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: flux-entry}}\nspec: {{path: {FOLDER}, sourceRef: {{name: a}}}}\n"
    ),
    f"{FOLDER}/kustomization.yaml": "resources: [flux-entry.yaml, apps]\n",
    f"{FOLDER}/apps/kustomization.yaml": "resources: [ks.yaml]\n",
    f"{FOLDER}/apps/ks.yaml": (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: app}}\nspec: {{path: {FOLDER}/apps/app, sourceRef: {{name: a}}}}\n"
    ),
}
WORDS = st.sampled_from(
    """
    apps|ks.yaml|app/x.yaml|..|../apps|.||flux-entry|a|${A|$${A}|${A:-${B}}|/|10.0.0.5|10.0.0.0/8
    |x-y|v1.2|(|[a|- {op: add, path: /a}|{kind: X, metadata: 1}|{|disabled|@./a.yaml|size|true|app
    |clusters/main/kubernetes|clusters/main/kubernetes/apps|Kustomization|HelmRelease|List|Namespace
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
KEY_NAMES = """
    apiVersion kind metadata name namespace spec path resources data components patches patch target
    labelSelector sourceRef chartRef chart values dependsOn postBuild substituteFrom substitute
    nodes hostname ipAddress networkInterfaces vip controlPlane schematic items configMapGenerator
    files literals replacements source targets select creation_rules path_regex encrypted_regex
    labels annotations instance sync METALLB_RANGE VIP clusterPodNets installDiskSelector fieldPaths
    namePrefix images patchesStrategicMerge bases commonLabels install group names version
"""
KEYS = st.sampled_from(KEY_NAMES.split())
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-3, 300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
TYPES = st.sampled_from(
    [
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("kustomize.config.k8s.io/v1alpha1", "Component"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
        ("fluxcd.controlplane.io/v1", "FluxInstance"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("longhorn.io/v1", "RecurringJob"),
        ("upgrade.cattle.io/v1", "Plan"),
        ("tuppr.home-operations.com/v1alpha1", "TalosUpgrade"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("v1", "Namespace"),
        ("v1", "List"),
    ]
)
FIELDS = st.dictionaries(KEYS, VALUES, max_size=6)
FLUX = st.builds(
    lambda types, name, fields: {
        "apiVersion": types[0],
        "kind": types[1],
        "metadata": {"name": name, "namespace": "a"},
        **fields,
    },
    TYPES,
    WORDS,
    st.builds(lambda spec, data: {"spec": spec, "data": data}, FIELDS | VALUES, FIELDS | VALUES)
    | FIELDS,
)
TEXTS = (
    st.lists(FLUX | VALUES, min_size=1, max_size=3).map(lambda items: yaml.safe_dump_all(items))
    | VALUES.map(lambda value: yaml.safe_dump(value))
    | st.text(max_size=30)
)


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS, min_size=1))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_repository_gives_an_inventory(files: dict[str, str]) -> None:
    """Wrong types, cycles, broken references and junk become findings."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**VALID, **files}.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        inventory = read_repository(Path(folder), "main")

    order_components(inventory, infer_edges(inventory))
    summarise(inventory)


@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=200), min_size=1))
@settings(max_examples=60, deadline=None)
def test_binary_files_are_survived(files: dict[str, bytes]) -> None:
    """Files that are no text at all become findings."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        read_repository(Path(folder), "main")
