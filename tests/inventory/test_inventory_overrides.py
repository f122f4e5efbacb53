"""Images, replicas and generators that name other objects, and what kustomize makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import JsonObject
from inventory.builds import Build
from inventory.documents import parse_documents
from inventory.kustomization import Builder
from inventory.tree import Tree

Write = Callable[[Mapping[str, str]], Path]

KUBECTL = shutil.which("kubectl")
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      initContainers: [{name: i, image: "redis@sha256:11"}]
      containers: [{name: c, image: "redis:1"}, {name: d, image: "ghcr.io/x/y:3"}]
"""
BASE = "namePrefix: p-\nnamespace: home\nconfigMapGenerator: [{name: a, literals: [y=1]}]\n"
ADDS = "configMapGenerator: [{name: a, behavior: BEHAVIOR, literals: [x=9]MORE}]\n"
# Each: the kustomization.yaml, and the rules that it breaks.
CASES = {
    "image": ('images: [{name: redis, newTag: "2"}]', []),
    "image-by-digest": ("images: [{name: ghcr.io/x/y, newName: z, digest: 'sha256:aa'}]", []),
    "image-renamed": ("images: [{name: redis, newName: other/redis}]", []),
    "image-of-nothing": ('images: [{name: docker.io/redis, newTag: "2"}]', ["unmatched-image"]),
    "replicas": ("replicas: [{name: web, count: 4}]", []),
    "replicas-of-nothing": ("replicas: [{name: server, count: 4}]", ["unmatched-target"]),
    "replicas-of-a-map": ("replicas: [{name: a, count: 4}]", ["unmatched-target"]),
    "merge": (ADDS.replace("BEHAVIOR", "merge"), []),
    "replace": (ADDS.replace("BEHAVIOR", "replace"), []),
    "merge-elsewhere": (
        ADDS.replace("BEHAVIOR", "merge").replace("MORE", ", namespace: other"),
        ["unmatched-target"],
    ),
    "merge-into-nothing": (
        ADDS.replace("BEHAVIOR", "merge").replace("name: a", "name: b"),
        ["unmatched-target"],
    ),
    "made-again": (ADDS.replace("behavior: BEHAVIOR, ", ""), ["duplicate-id"]),
    "twice-a-key": ("namePrefix: a-\nnamePrefix: b-", ["duplicate-key"]),
}
OVER_A_BASE = {
    "merge": ADDS.replace("BEHAVIOR", "merge"),
    "replace": ADDS.replace("BEHAVIOR", "replace"),
    "merge-in-its-namespace": ADDS.replace("BEHAVIOR", "merge").replace(
        "MORE", ", namespace: home"
    ),
}


def build(root: Path) -> tuple[Build, list[str]]:
    """Build the directory `app`; return the ids of its findings, too."""
    tree = Tree(str(root), {})
    made = Builder(tree).build("app")
    return made, [finding.id for finding in tree.findings]


def small(write: Write, text: str) -> Path:
    """Write a kustomization over a ConfigMap and a Deployment."""
    listed = f"resources: [a.yaml, web.yaml]\n{text.replace('MORE', '')}\n"
    return write({"app/kustomization.yaml": listed, "app/a.yaml": MAP, "app/web.yaml": WEB})


def kustomize(folder: Path) -> list[JsonObject] | None:
    """Build with the real tool; None when it refuses."""
    words = [str(KUBECTL), "kustomize", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    documents = parse_documents("", done.stdout)[0]
    values = [document.value for document in documents]
    return None if done.returncode else [value for value in values if isinstance(value, dict)]


def ordered(values: list[JsonObject]) -> list[str]:
    """Return objects as text, in an order of their own."""
    return sorted(json.dumps(value, sort_keys=True) for value in values)


@pytest.mark.parametrize("name", CASES)
def test_what_matches_nothing_is_found(write: Write, name: str) -> None:
    """Only what ends the build fails it; what kustomize passes over is a warning."""
    text, expected = CASES[name]
    made, found = build(small(write, text))

    assert expected == found
    assert made.has_failed == bool({"unmatched-target", "duplicate-id"} & set(found))


@pytest.mark.tools
@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
@pytest.mark.parametrize("name", CASES)
def test_kustomize_says_the_same(write: Write, name: str) -> None:
    """Real kustomize refuses what our build refuses, and else makes the same objects."""
    root = small(write, CASES[name][0])
    made, _ = build(root)
    theirs = kustomize(root / "app")

    assert made.has_failed == (theirs is None)
    if theirs is not None:
        assert ordered(theirs) == ordered([resource.value for resource in made.resources])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("merge", ("p-a-227c86945d", {"x": "9", "y": "1"})),
        ("replace", ("p-a-mdmkbkhk7c", {"x": "9"})),
        ("merge-in-its-namespace", ("p-a-227c86945d", {"x": "9", "y": "1"})),
    ],
)
def test_generators_add_to_what_a_base_made(
    write: Write, name: str, expected: tuple[str, dict[str, str]]
) -> None:
    """The object is found behind prefix, namespace and hash, and named by its new content.

    Names are those that kustomize 5.8.1 printed.
    """
    text = "resources: [base]\n" + OVER_A_BASE[name].replace("MORE", "")
    root = write({"app/kustomization.yaml": text, "app/base/kustomization.yaml": BASE})
    made, found = build(root)
    [only] = [resource.value for resource in made.resources]

    assert found == []
    assert expected == (only["metadata"]["name"], only["data"])  # type: ignore[index,call-overload] # plain JSON


def test_components_may_name_images_of_other_builds(write: Write) -> None:
    """A component is for many builds, so an image that this one lacks is no mistake."""
    component = "kind: Component\nimages: [{name: nginx, newTag: '2'}]\n"
    text = "resources: [a.yaml]\ncomponents: [../shared]\n"
    root = write(
        {
            "app/kustomization.yaml": text,
            "app/a.yaml": MAP,
            "shared/kustomization.yaml": component,
        }
    )

    assert [] == build(root)[1]
