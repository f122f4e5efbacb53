"""Findings about values that YAML makes other types or texts of than their authors meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from inventory.substitution import substitute_object
from tests.inventory.inventory_files import ks, with_component

Write = Callable[[Mapping[str, str]], Path]

IDS = {"malformed-quantity", "wrong-type", "rewritten-value", "switch-is-text", "key-not-text"}
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec:\n"
RELEASE = (
    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
    "metadata: {name: a, namespace: b}\nspec:\n"
)


def found(write: Write, manifest: str, variables: str = "{}") -> list[tuple[str, str]]:
    """Return the findings about types of a repository that applies `manifest`."""
    more = f"  postBuild: {{substitute: {variables}}}\n"
    files = with_component("one", "a.yaml", manifest, more)
    findings = read_repository(write(files), "main").findings
    return [(f.id, f"{f.position.line}:{f.position.column}") for f in findings if f.id in IDS]


def config_map(data: str, metadata: str = "name: a, namespace: b") -> str:
    """Write a ConfigMap whose data begin in line 5."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{{metadata}}}\ndata:\n  {data}\n"


def secret(data: str) -> str:
    """Write a Secret whose data begin in line 5."""
    return config_map(data).replace("ConfigMap", "Secret").replace("\ndata:", "\nstringData:")


@pytest.mark.parametrize(
    ("manifest", "place"),
    [
        (config_map("port: 8080"), "5:9"),
        (config_map("on: true"), "5:7"),
        (config_map("code: 0o17"), "5:9"),
        (secret("port: ENC[AES256_GCM,data:aa,iv:bb,tag:cc,type:int]"), "5:9"),
        (f"{POD}  containers: [{{name: c, env: [{{name: A, value: 1}}]}}]\n", "5:49"),
        (f"{POD}  containers: [{{name: c, args: [--port, 80]}}]\n", "5:41"),
        (f"{POD}  nodeSelector: {{gpu: true}}\n", "5:23"),
        (f"{POD}  hostNetwork: yes\n", "5:16"),
        (f"{RELEASE}  chart: {{spec: {{chart: x, version: 1.10}}}}\n", "5:37"),
        (ks("x", "./none", "other", "  prune: yes\n"), "7:10"),
        (ks("x", "./none", "other", "  postBuild: {substitute: {A: 5}}\n"), "7:31"),
    ],
)
def test_type_that_the_server_refuses_is_found(write: Write, manifest: str, place: str) -> None:
    """A number where a text belongs ends the dry run, and so does `yes` for true."""
    assert [("wrong-type", place)] == found(write, manifest)


@pytest.mark.parametrize(
    "manifest",
    [
        config_map('port: "8080"'),
        config_map("on: yes"),
        config_map("nothing: null"),
        config_map("x: y", "name: a, namespace: b, labels: {gpu: true, port: 80}"),
        secret("port: ENC[AES256_GCM,data:aa,iv:bb,tag:cc,type:str]"),
        f"{POD}  hostNetwork: true\n  nodeSelector: {{gpu: no}}\n",
        f"{POD}  containers: [{{name: c, env: [{{name: A, value: off}}], args: [y, n]}}]\n",
        f"{RELEASE}  values: {{port: 8080, on: true, umask: 0o22, 'yes': 1, '1.5': x}}\n",
    ],
)
def test_type_that_fits_is_no_finding(write: Write, manifest: str) -> None:
    """Kustomize keeps `yes` and its kin as texts, and makes texts of an object's own labels."""
    assert [] == found(write, manifest)


def test_variable_that_becomes_a_number_is_found(write: Write) -> None:
    """Flux drops the quotes around a variable, so its value decides; another's is not known."""
    manifest = config_map('port: "${PORT}"\n  name: "a${PORT}"\n  other: ${OTHER}\n  on: ${ON}')
    variables = "{PORT: '8080', ON: 'on', QUOTED: '\"8080\"'}"

    assert [("wrong-type", "5:9"), ("wrong-type", "8:7")] == found(write, manifest, variables)
    assert [] == found(write, config_map("port: ${QUOTED}"), variables)


def test_substituted_words_are_those_of_yaml_1_1() -> None:
    """What Flux has substituted is read by a package for which `on` is true."""
    value = substitute_object({"a": "${A}", "b": "x${A}", "c": "on"}, {"A": "on"})

    assert {"a": True, "b": "xon", "c": "on"} == value


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ("image: {tag: 1.10}", "6:18"),
        ("image: {tag: 2024-01-02}", "6:18"),
        ("image: {tag: 20e3}", "6:18"),
        ("pin: 0123", "6:10"),
        ("env: {UMASK: 022}", "6:18"),
    ],
)
def test_value_that_comes_out_as_another_is_found(write: Write, values: str, place: str) -> None:
    """An unquoted version, date or code is not what the chart gets."""
    assert [("rewritten-value", place)] == found(write, f"{RELEASE}  values:\n    {values}\n")


@pytest.mark.parametrize(
    "values",
    [
        'image: {tag: "1.10"}',
        "image: {tag: 1.1}",
        "image: {tag: v1.10}",
        "ratio: 1.10",
        "umask: 002",
        "defaultMode: 0644",
        "mode: 0o755",
        "day: 2024-01-02T10:00:00Z",
        "script: |\n      tag: 1.10\n      at: 2024-01-02",
        "version: '1.10'  # not 1.1",
    ],
)
def test_value_that_means_what_it_says_is_no_finding(write: Write, values: str) -> None:
    """Quoted texts, modes in base 8 and numbers that stay numbers are as they were meant."""
    assert [] == found(write, f"{RELEASE}  values:\n    {values}\n")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ("ingress: {main: {enabled: no}}", 1),
        ("ingress: {enabled: 'false'}", 1),
        ("list: [{enabled: off}]", 1),
        ("ingress: {enabled: false}", 0),
        ("ingress: {enabled: yes}", 0),
        ("env: {enabled: 'off'}", 0),
    ],
)
def test_switch_that_is_a_text_is_found(write: Write, values: str, count: int) -> None:
    """To a chart every text that is not empty is true."""
    assert ["switch-is-text"] * count == [
        name for name, _ in found(write, f"{RELEASE}  values:\n    {values}\n")
    ]


def test_key_that_is_no_text_ends_the_build(write: Write) -> None:
    """Kustomize writes JSON, whose keys are texts; `yes` is one."""
    values = f"{RELEASE}  values:\n    ports: {{8080: x, '9090': y, yes: z}}\n"

    assert [("key-not-text", "6:13")] == found(write, values)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ("persistence: {a: {size: 512 Mi}}", 1),
        ("persistence: {a: {size: 10GB}}", 1),
        ("resources: {limits: {memory: 1gi, cpu: 4000m}}", 1),
        ("workload: {main: {resources: {requests: {memory: 5 Gi}}}}", 1),
        ("persistence: {a: {size: 10Gi}, b: {size: '1.5Ti'}, c: {size: 5}, d: {size: '${X}'}}", 0),
        ("resources: {limits: {cpu: 0.5, memory: 1e9, nvidia.com/gpu: one}}", 0),
        ("persistence: {a: {size: '{{ .Values.size }}'}}", 0),
        ("size: a lot", 0),
    ],
)
def test_amount_that_kubernetes_cannot_read_is_found(write: Write, values: str, count: int) -> None:
    """A blank or a unit that is none ends the release."""
    manifest = f"{RELEASE}  values:\n    {values}\n"

    assert [("malformed-quantity", 6)] * count == [
        (name, int(place.partition(":")[0])) for name, place in found(write, manifest)
    ]
