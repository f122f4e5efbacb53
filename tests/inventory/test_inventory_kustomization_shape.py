"""What kustomize refuses in a kustomization.yaml itself is told with its place."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inventory.kustomization import Builder
from inventory.tree import Tree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"
FILES = {
    "w/kustomization.yaml": "resources: [../x]\n",
    "x/a.yaml": CONFIG_MAP,
    "x/b.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {12: x}}",
    "component/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamespace: b\n"
    ),
    "base/kustomization.yaml": "resources: [b.yaml]\n",
    "base/b.yaml": CONFIG_MAP.replace("name: a", "name: b"),
}
A = "resources: [a.yaml]\n"
HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
REFUSED = [
    ("", "empty-kustomization", "1:1"),
    ("kind: Kustomization\nresources:\n", "empty-kustomization", "1:1"),
    ("- a.yaml\n", "invalid-kustomization", "1:1"),
    ("resource: [a.yaml]\n", "invalid-kustomization", "1:11"),
    ("resources: a.yaml\n", "invalid-kustomization", "1:12"),
    (f"{A}patches: [p.yaml]\n", "invalid-kustomization", "2:11"),
    (f"{A}patches:\n  - target: {{kind: ConfigMap}}\n", "invalid-kustomization", "3:5"),
    (f"{A}patches: [{{path: no.yaml}}]\n", "missing-resource", "2:11"),
    (
        f"{A}patches: [{{target: {{kind: X}}, patch: '[{{op: test}}]'}}]\n",
        "patch-failed",
        "2:11",
    ),
    (f"{A}images: [{{name: x, newTag: 1.10}}]\n", "invalid-kustomization", "2:28"),
    (f"{A}namespace: on\n", "invalid-kustomization", "2:12"),
    (f"{A}labels: [{{pairs: {{a: No}}}}]\n", "invalid-kustomization", "2:22"),
    (f"{A}images: [{{name: x, newTag: 0o17}}]\n", "invalid-kustomization", "2:28"),
    (f'{A}commonLabels: {{"12": x}}\n', "invalid-kustomization", "2:22"),
    (f"{A}configMapGenerator: [{{name: y, literals: [a=b]}}]\n", "invalid-kustomization", "2:29"),
    (
        HEAD + "resources: [kustomization.yaml, a.yaml]\n",
        "not-an-object",
        "1:1",
    ),
    ("resources: [b.yaml]\n", "key-not-text", "1:63"),
    (f"{A}images: [{{name: x, tag: v1}}]\n", "invalid-kustomization", "2:25"),
    (f"{A}commonLabels: {{a: 1}}\n", "invalid-kustomization", "2:19"),
    (f"{A}replicas: [{{name: a, count: '2'}}]\n", "invalid-kustomization", "2:29"),
    (f"{A}labels: {{a: b}}\n", "invalid-kustomization", "2:9"),
    (f"{A}kind: Kustomisation\n", "invalid-kustomization", "2:7"),
    (f"{A}apiVersion: kustomize/v1\n", "invalid-kustomization", "2:13"),
    (f"{A}crds: [no.yaml]\n", "missing-resource", "2:8"),
    (f"{A}openapi: {{path: no.json}}\n", "missing-resource", "2:17"),
    (f"{A}replacements: [{{path: no.yaml}}]\n", "missing-resource", "2:23"),
    (f"{A}helmCharts: [{{name: x}}]\n", "invalid-kustomization", "2:13"),
    (f"{A}configMapGenerator: [{{literals: [a=b]}}]\n", "invalid-kustomization", "2:22"),
    (
        f"{A}configMapGenerator: [{{name: x, literals: [a]}}]\n",
        "invalid-kustomization",
        "2:43",
    ),
    (
        f"{A}configMapGenerator: [{{name: x, literals: [a=b, a=c]}}]\n",
        "invalid-kustomization",
        "2:48",
    ),
    (
        f"{A}secretGenerator: [{{name: x, literals: [a=b]}}, {{name: x, literals: [a=c]}}]\n",
        "invalid-kustomization",
        "2:47",
    ),
    ("resources: [a.yaml, ../component]\n", "invalid-kustomization", "2:7"),
    (f"{A}components: [../base]\n", "invalid-kustomization", "1:1"),
]
ACCEPTED = [
    A,
    HEAD + "metadata: {name: x}\nresources: [kustomization.yaml, a.yaml]\n",
    f"""{A}commonAnnotations: {{a: "yes", b: 2024-01-02, "on": x}}\n""",
    f"{A}generatorOptions: {{disableNameSuffixHash: Yes}}\n",
    "resources: []\n",
    "Resources: [a.yaml]\n",
    f"{A}components: [../component]\n",
    f"{A}metadata: {{name: x}}\ngeneratorOptions: {{disableNameSuffixHash: true}}\n",
    f"{A}labels: [{{pairs: {{a: b}}, includeSelectors: true}}]\nsortOptions: {{order: fifo}}\n",
    f'{A}patches: [{{patch: \'[{{"op": "test"}}]\', target: {{kind: None}}}}]\n',
    f"{A}images:\nbuildMetadata: [originAnnotations]\n",
    f"{A}nameSuffix:\nconfigMapGenerator: [{{name: x, literals: [a=b], options: {{}}}}]\n",
]


def make(folder: Path, text: str) -> Path:
    """Write directories of which `w` lists `x`, whose kustomization is `text`."""
    for name, content in {**FILES, "x/kustomization.yaml": text}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("text", "rule", "place"), REFUSED)
def test_what_kustomize_refuses_is_told(tmp_path: Path, text: str, rule: str, place: str) -> None:
    """The build fails, with one finding that names the line and column."""
    tree = Tree(str(make(tmp_path, text)), {})
    build = Builder(tree).build("w")

    assert build.has_failed
    assert [(rule, place)] == [
        (found.id, f"{found.position.line}:{found.position.column}") for found in tree.findings
    ]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_kustomize_takes_is_taken(tmp_path: Path, text: str) -> None:
    """What is unusual but right is no finding."""
    tree = Tree(str(make(tmp_path, text)), {})

    assert not Builder(tree).build("w").has_failed
    assert [] == tree.findings


def test_flux_drops_unknown_fields_of_its_own_path(tmp_path: Path) -> None:
    """At the path of a Flux Kustomization an unknown field is a warning, an empty file nothing."""
    tree = Tree(str(make(tmp_path, "resource: [a.yaml]\n")), {})
    build = Builder(tree).build("x")
    (tmp_path / "w/kustomization.yaml").write_text("")
    empty = Builder(tree).build("w")

    assert not build.has_failed
    assert not empty.has_failed
    assert ["ignored-field"] == [found.id for found in tree.findings]


@pytest.mark.parametrize(
    ("value", "read"),
    [("yes", "true"), ("1.10", "1.1"), ("012", "10"), ("1e6", "1e+06"), ("1_000", "1000")],
)
def test_flux_writes_another_text_at_its_own_path(tmp_path: Path, value: str, read: str) -> None:
    """Where Flux reads the file itself, a number or boolean becomes a text; `flux build` agrees."""
    tree = Tree(str(make(tmp_path, f"{A}images: [{{name: x, newTag: {value}}}]\n")), {})
    build = Builder(tree).build("x")

    assert not build.has_failed
    assert [
        ("rewritten-value", f"Flux reads another text than is written: `{value}` as `{read}`")
    ] == [(found.id, found.message) for found in tree.findings if found.id != "unmatched-image"]


@pytest.mark.parametrize("value", ["123", "true", "1.5", "2024-01-02", '"yes"', "null"])
def test_text_that_stays_itself_is_no_finding(tmp_path: Path, value: str) -> None:
    """At the path of a Flux Kustomization a bare number that comes out as written does no harm."""
    tree = Tree(str(make(tmp_path, f"{A}commonLabels: {{a: {value}}}\n")), {})

    assert not Builder(tree).build("x").has_failed
    assert [] == tree.findings


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_verdicts_are_those_of_kustomize(tmp_path: Path) -> None:
    """Kustomize refuses what we say it refuses, and takes the rest."""
    texts = [*(text for text, _, _ in REFUSED), *ACCEPTED]
    folders = [tmp_path / str(number) for number in range(len(texts))]
    for folder, text in zip(folders, texts, strict=True):
        folder.mkdir()
        make(folder, text)
    with ThreadPoolExecutor(4) as pool:
        refused = {
            text
            for text, is_refused in zip(texts, pool.map(refuses, folders), strict=True)
            if is_refused
        }

    assert {text for text, _, _ in REFUSED} == refused


def refuses(folder: Path) -> bool:
    """Ask the real tool."""
    words = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder / "w")]
    return subprocess.run(words, capture_output=True, check=False).returncode != 0
