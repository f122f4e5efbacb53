"""Builds compared with real kustomize: same objects, same content."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory import Inventory, JsonObject, read_repository
from inventory.documents import parse_documents
from inventory.kustomization import Builder
from inventory.tree import Tree

REPOSITORIES = Path(__file__).parents[3] / "shared" / "data" / "repos"
KUBECTL = shutil.which("kubectl")

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH"),
    pytest.mark.skipif(not REPOSITORIES.is_dir(), reason="the shared test data is absent"),
]


@pytest.mark.parametrize("slug", ["abmania", "maverick", "nomenator", "zachbomb"])
def test_builds_are_those_of_kustomize(slug: str) -> None:
    """Live directories build to the objects that kubectl kustomize prints, content included."""
    root = REPOSITORIES / slug
    differences = [
        f"{path}: {difference}"
        for path in sample(root, live_paths(read_repository(root, "main")))
        for difference in compare(root, path)
    ]

    assert differences == []


def live_paths(inventory: Inventory) -> Iterator[str]:
    """Yield the paths that have a kustomization file."""
    yield from (entry.path for entry in inventory.entries)
    for component in inventory.components:
        if component.is_local and component.has_kustomization_file:
            yield component.path


def sample(root: Path, paths: Iterator[str]) -> list[str]:
    """Choose the entries, what uses more than resources, and a few others: kubectl is slow."""
    found = list(paths)
    special = [path for path in found if "enerator" in text_of(root / path)]
    return list(dict.fromkeys([*found[:2], *special, *found[2::12]]))


def text_of(path: Path) -> str:
    """Return the kustomization file of a directory."""
    return (path / "kustomization.yaml").read_text(encoding="utf-8")


def compare(root: Path, path: str) -> list[str]:
    """Return the identities whose presence or content differs."""
    ours = {key(r.value): r.value for r in Builder(Tree(str(root), {})).build(path).resources}
    theirs = {key(value): value for value in kubectl(root / path)}
    missing = [f"missing {name}" for name in theirs.keys() - ours.keys()]
    extra = [f"extra {name}" for name in ours.keys() - theirs.keys()]
    changed = [
        f"changed {name}" for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]
    ]
    return missing + extra + changed


def key(value: JsonObject) -> str:
    """Return kind, namespace and name, without the hash of generated names."""
    metadata = value["metadata"]
    assert isinstance(metadata, dict)
    return f"{value['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"


def kubectl(path: Path) -> list[JsonObject]:
    """Build with the real tool."""
    assert KUBECTL is not None
    result = subprocess.run(
        [KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    documents, problems = parse_documents("", result.stdout)
    assert problems == []
    values = [document.value for document in documents]
    return [value for value in values if isinstance(value, dict) and is_applied(value)]


def is_applied(value: JsonObject) -> bool:
    """Say whether Flux would apply the object; kustomizations that list themselves are skipped."""
    return value["apiVersion"] != "kustomize.config.k8s.io/v1beta1"
