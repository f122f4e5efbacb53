"""Names that kustomize changes, and who follows them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import JsonObject, read_repository
from inventory.documents import parse_documents
from inventory.kustomization import Builder
from inventory.tree import Tree
from tests.inventory.inventory_files import base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]

FOLDER = "clusters/main/kubernetes"
GENERATED = """\
configMapGenerator: [{name: cfg, literals: [a=b]}]
secretGenerator: [{name: sec, literals: [a=b]}]
"""
OBJECTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      serviceAccountName: account
      imagePullSecrets: [{name: sec}]
      volumes:
        - {name: v, configMap: {name: cfg}}
        - {name: w, secret: {secretName: sec}}
        - {name: x, persistentVolumeClaim: {claimName: claim}}
        - {name: y, projected: {sources: [{secret: {name: sec}}, {configMap: {name: other}}]}}
      containers:
        - name: c
          image: nginx
          envFrom: [{configMapRef: {name: cfg}}, {secretRef: {name: other}}]
          env: [{name: A, valueFrom: {configMapKeyRef: {name: cfg, key: a}}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: account}
---
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in}
spec:
  tls: [{secretName: sec}]
  rules: [{http: {paths: [{backend: {service: {name: web}}}]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: role}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bind}
roleRef: {kind: Role, name: role, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: ServiceAccount, name: account}, {kind: Group, name: account}]
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: h}
spec: {valuesFrom: [{kind: ConfigMap, name: cfg}, {kind: Secret, name: sec}]}
"""
FOLLOWED = """\
nameReference:
  - kind: ConfigMap
    version: v1
    fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]
"""
AFFIXES = "namePrefix: out-\nnameSuffix: -z\n"
CASES = {
    "hash": GENERATED,
    "plain": GENERATED + "generatorOptions: {disableNameSuffixHash: true, immutable: true}\n",
    "prefix": GENERATED + "namePrefix: in-\n",
    "configured": GENERATED + "configurations: [followed.yaml]\nnamePrefix: in-\n",
    "labelled": GENERATED + "generatorOptions: {labels: {a: b}, annotations: {c: d}}\n",
}


def build_tree(write: Write, case: str) -> Path:
    """Write a directory that lists another, both with names of their own."""
    return write(
        {
            "top/kustomization.yaml": f"resources: [../inner]\n{AFFIXES}",
            "inner/kustomization.yaml": f"resources: [objects.yaml]\n{CASES[case]}",
            "inner/objects.yaml": OBJECTS,
            "inner/followed.yaml": FOLLOWED,
        }
    )


def build(root: Path, path: str) -> dict[str, JsonObject]:
    """Return what we make of a directory, by kind and name."""
    made = Builder(Tree(str(root), {})).build(path)
    assert not made.has_failed
    return {key(resource.value): resource.value for resource in made.resources}


def key(value: JsonObject) -> str:
    """Return kind and name."""
    metadata = value["metadata"]
    assert isinstance(metadata, dict)
    return f"{value['kind']}/{metadata['name']}"


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
@pytest.mark.parametrize("case", CASES)
def test_names_are_those_of_kustomize(write: Write, case: str) -> None:
    """Every object has the name that the real tool gives it, and so has every reference."""
    root = build_tree(write, case)
    words = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(root / "top")]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    theirs = [document.value for document in parse_documents("", text)[0]]

    assert {key(value): value for value in theirs if isinstance(value, dict)} == build(root, "top")


def test_hash_comes_after_prefix_and_suffix(write: Write) -> None:
    """The name of a generated object ends with its hash; references follow it (kustomize 5.8)."""
    made = build(build_tree(write, "prefix"), "top")
    pod = str(made["Deployment/out-in-d-z"])

    assert "ConfigMap/out-in-cfg-z-4h2mbtbbt6" in made
    assert pod.count("out-in-cfg-z-4h2mbtbbt6") == 3
    assert pod.count("out-in-sec-z-k695gkmbtk") == 3
    assert "'name': 'other'" in pod


def test_same_name_behind_two_prefixes_is_told_apart(write: Write) -> None:
    """Each side refers to its own object."""
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
        "spec: {containers: [{name: c, envFrom: [{configMapRef: {name: cfg}}]}]}\n"
    )
    side = "resources: [p.yaml]\nconfigMapGenerator: [{name: cfg, literals: [a=b]}]\n"
    root = write(
        {
            "top/kustomization.yaml": "resources: [../a, ../b]\n",
            **{f"{n}/kustomization.yaml": f"{side}namePrefix: {n}-\n" for n in "ab"},
            **{f"{n}/p.yaml": pod for n in "ab"},
        }
    )
    made = build(root, "top")

    assert "a-cfg-4h2mbtbbt6" in str(made["Pod/a-p"])
    assert "b-cfg-4h2mbtbbt6" in str(made["Pod/b-p"])


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: h, namespace: default}
spec:
  chart: {spec: {chart: a, version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}
  valuesFrom: [{kind: ConfigMap, name: cfg}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default}
spec:
  containers: [{name: c, image: nginx, envFrom: [{configMapRef: {name: cfg}}]}]
"""


def found(write: Write, manifest: str, generator: str) -> list[str]:
    """Return the findings about names of a component that applies `manifest`."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "ks.yaml"),
            "ks.yaml": ks("one", f"./{FOLDER}/one") + "---\n" + ks("two", f"./{FOLDER}/two"),
            "one/kustomization.yaml": f"namespace: default\n{generator}",
            "one/followed.yaml": FOLLOWED,
            "one/m.yaml": manifest,
            "two/kustomization.yaml": "namespace: default\nresources: [m.yaml]\n",
            "two/m.yaml": config_map("unrelated") if "m.yaml" in generator else manifest,
        }
    )
    wanted = {"missing-values-source", "generated-name-missed"}
    findings = read_repository(write(files), "main").findings
    return [f"{f.id} {f.position.line}" for f in findings if f.id in wanted]


MADE = """\
apiVersion: operator.example/v1
kind: {}
metadata: {{name: {}, namespace: default}}
spec: {}
"""


@pytest.mark.parametrize(
    "maker",
    [
        MADE.format("BitwardenSecret", "x", "{secretName: cfg}"),
        MADE.format("ExternalSecret", "cfg", "{}"),
        MADE.format("ExternalSecret", "x", "{target: {name: cfg}}"),
    ],
)
def test_values_that_an_operator_makes_are_there(write: Write, maker: str) -> None:
    """A custom resource that names the Secret brings it."""
    release = RELEASE.replace("ConfigMap, name: cfg", "Secret, name: cfg")

    assert [] == found(write, f"{release}---\n{maker}", "resources: [m.yaml]\n")


PLAIN = "generatorOptions: {disableNameSuffixHash: true}\n"


@pytest.mark.parametrize(
    ("manifest", "generator", "finding"),
    [
        (RELEASE, "resources: [m.yaml]\n" + GENERATED, "generated-name-missed 6"),
        (RELEASE, "resources: [m.yaml]\n" + GENERATED + PLAIN, ""),
        (RELEASE, f"resources: [m.yaml]\n{GENERATED}configurations: [followed.yaml]\n", ""),
        (RELEASE, "resources: [m.yaml]\n", "missing-values-source 6"),
        (
            RELEASE,
            "resources: [m.yaml]\n" + GENERATED + PLAIN + "namePrefix: a-\n",
            "missing-values-source 6",
        ),
        (POD, "resources: [m.yaml]\n" + GENERATED, ""),
        (POD, GENERATED, "generated-name-missed 5"),
        (POD, GENERATED + PLAIN, ""),
        (POD, "resources: [m.yaml]\n", ""),
    ],
)
def test_reference_that_misses_a_generated_name_is_found(
    write: Write, manifest: str, generator: str, finding: str
) -> None:
    """Kustomize follows its own fields within one build; others keep the name without the hash."""
    assert ([finding] if finding else []) == found(write, manifest, generator)
