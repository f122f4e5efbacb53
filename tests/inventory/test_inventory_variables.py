"""Findings about names that Flux substitutes: the cluster's, and those of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Severity, read_repository
from lifecycle.gates.repository import refuses
from tests.inventory.inventory_files import base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]

FOLDER = "clusters/main/kubernetes"
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata:\n"
SETTINGS = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: NAME}]}\n"


def found(write: Write, manifest: str, source: str = "settings") -> list[tuple[str, str, str]]:
    """Return id, place and quoted part of findings about variables, of two Kustomizations."""
    more = SETTINGS.replace("NAME", source)
    files = base(
        **{
            "kustomization.yaml": kustomization(
                *("flux-entry.yaml", "source.yaml", "settings.yaml"),
                *("empty.yaml", "one.yaml", "two.yaml"),
            ),
            "empty.yaml": config_map("empty", "flux-system", "{}"),
            "settings.yaml": config_map("settings", "flux-system", "{KNOWN: '1'}"),
            "one.yaml": ks("one", f"./{FOLDER}/one", more=more),
            "two.yaml": ks("two", f"./{FOLDER}/two", more=more),
            "one/kustomization.yaml": kustomization("a.yaml"),
            "one/a.yaml": manifest,
            "two/kustomization.yaml": kustomization("a.yaml"),
            "two/a.yaml": config_map("b"),
        }
    )
    ids = {"undefined-variable", "foreign-variable", "missing-substitution-source"}
    findings = [f for f in read_repository(write(files), "main").findings if f.id in ids]
    return [
        (f.id, f"{Path(f.position.path).name}:{f.position.line}", f.message.split("`")[-2])
        for f in findings
    ]


@pytest.mark.parametrize(
    "text",
    [
        '  run: |\n    COUNT=$(ls)\n    echo "${COUNT} ${KNOWN}"\n',
        "  run: |\n    for COUNT in 1 2; do echo ${COUNT}; done\n",
        "  run: |\n    while read -r COUNT; do echo ${COUNT}; done\n",
        "  run: |\n    #!/usr/bin/env bash\n    echo ${COUNT}\n",
        '  board.json: |\n    {\n    "datasource": "${COUNT}"}\n',
    ],
)
def test_names_of_other_programs_are_told_apart(write: Write, text: str) -> None:
    """A script's own names are taken by Flux, but no source lacks them."""
    assert [("foreign-variable", "a.yaml:5", "COUNT")] == found(write, HEAD + text)


def test_names_of_the_cluster_in_long_texts_are_undefined(write: Write) -> None:
    """A settings file of several lines is no program, and neither is one line."""
    long = found(write, HEAD + "  app.conf: |\n    host: a\n    url: ${BASE_DOMAIN}\n")
    short = found(write, HEAD + "  run.sh: echo ${BASE_DOMAIN}\n")

    assert [("undefined-variable", "a.yaml:5", "BASE_DOMAIN")] == long == short


SOURCE = """apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: flux-manifests, namespace: flux-system}
spec: {interval: 1h, url: oci://ghcr.io/fluxcd/flux-manifests, ref: {tag: VERSION}}
"""
PATCH = """apiVersion: v1
kind: ConfigMap
metadata: {name: patch, namespace: flux-system}
data: {args: --feature-gates=StrictPostBuildSubstitutions=false}
"""


@pytest.mark.parametrize(
    ("version", "patch", "severity"),
    [
        ("v2.8.5", "", Severity.WARNING),
        ("v2.9.0", "", Severity.ERROR),
        ("v2.10.1", "", Severity.ERROR),
        ("latest", "", Severity.ERROR),
        ("v2.9.0", PATCH, Severity.WARNING),
    ],
)
@pytest.mark.parametrize("text", ["x: ${HOST}", '"x.sh": "#!/bin/sh\\nls ${HOST}"'])
def test_undefined_names_are_errors_where_flux_refuses_them(
    write: Write, version: str, patch: str, severity: Severity, text: str
) -> None:
    """Flux 2.9 fails the whole build, unless it is told not to; older ones empty the name."""
    more = SETTINGS.replace("NAME", "settings")
    files = base(
        **{
            "kustomization.yaml": kustomization(
                "flux-entry.yaml", "source.yaml", "settings.yaml", "one.yaml", "flux.yaml"
            ),
            "settings.yaml": config_map("settings", "flux-system", "{KNOWN: '1'}"),
            "flux.yaml": f"{SOURCE.replace('VERSION', version)}---\n{patch}",
            "one.yaml": ks("one", f"./{FOLDER}/one", more=more),
            "one/kustomization.yaml": kustomization("a.yaml"),
            "one/a.yaml": f"{HEAD}  {text}\n",
        }
    )
    ids = {"undefined-variable", "foreign-variable"}
    [finding] = [f for f in read_repository(write(files), "main").findings if f.id in ids]

    assert (severity, severity is Severity.ERROR) == (finding.severity, refuses(finding))


def test_names_are_left_alone_where_there_is_no_variable(write: Write) -> None:
    """Without any variable Flux does not substitute at all."""
    assert [] == found(write, HEAD + "  x: ${HOST}\n", "empty")


def test_missing_source_is_one_finding(write: Write) -> None:
    """However many Kustomizations name it, one thing is missing."""
    [(name, place, source)] = found(write, config_map("a"), "gone")

    assert ("missing-substitution-source", "one.yaml:7") == (name, place)
    assert "ConfigMap/gone" == source
