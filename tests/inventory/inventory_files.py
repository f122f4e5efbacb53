"""Files of small repositories, for the inventory's tests."""

from __future__ import annotations

from inventory import Inventory, Severity

ENTRY = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-entry, namespace: flux-system}
spec:
  path: ./clusters/main/kubernetes
  sourceRef: {kind: GitRepository, name: cluster}
"""
SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: cluster, namespace: flux-system}
spec: {url: "ssh://git@git.lab.example/x.git"}
"""


def kustomization(*resources: str, **more: str) -> str:
    """Write a kustomization.yaml."""
    lines = ["resources:", *(f"  - {name}" for name in resources)] if resources else []
    return "\n".join([*lines, *(f"{key}: {value}" for key, value in more.items())]) + "\n"


def ks(name: str, path: str, source: str = "cluster", more: str = "") -> str:
    """Write a Flux Kustomization."""
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\n"
        f"spec:\n  path: {path}\n  sourceRef: {{kind: GitRepository, name: {source}}}\n{more}"
    )


def config_map(name: str, namespace: str = "default", data: str = "{}") -> str:
    """Write a ConfigMap."""
    return (
        "apiVersion: v1\nkind: ConfigMap\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\ndata: {data}\n"
    )


def base(**files: str) -> dict[str, str]:
    """Return the files of a cluster with one entry; names are below its kubernetes folder."""
    folder = "clusters/main/kubernetes"
    made = {f"{folder}/flux-entry.yaml": ENTRY, f"{folder}/source.yaml": SOURCE}
    return {**made, **{f"{folder}/{name}": text for name, text in files.items()}}


def with_component(name: str, file: str, manifest: str, more: str = "") -> dict[str, str]:
    """Return the files of a cluster whose one component applies a manifest."""
    return base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "one"),
            "one/kustomization.yaml": kustomization("ks.yaml"),
            "one/ks.yaml": ks(name, "./clusters/main/kubernetes/one/app", more=more),
            "one/app/kustomization.yaml": kustomization(file),
            f"one/app/{file}": manifest,
        }
    )


def ids(inventory: Inventory) -> set[str]:
    """Return the ids of all errors."""
    return {f.id for f in inventory.findings if f.severity is Severity.ERROR}
