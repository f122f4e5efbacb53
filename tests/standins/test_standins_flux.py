"""Flux' stand-in: the manifests it prints, and what it refuses."""

from __future__ import annotations

import yaml

from tests.standins.standins_process import Run


def _names(text: str, kind: str) -> set[str]:
    found = [item for item in yaml.safe_load_all(text) if item["kind"] == kind]
    return {item["metadata"]["name"] for item in found}


def test_export_has_the_controllers_and_their_kinds(run: Run) -> None:
    """Four Deployments, and the kinds of theirs; all but two have a status."""
    said = run("flux", "install", "--export")
    definitions = [
        item
        for item in yaml.safe_load_all(said.stdout)
        if item["kind"] == "CustomResourceDefinition"
    ]
    versions = {
        item["spec"]["names"]["kind"]: [version["name"] for version in item["spec"]["versions"]]
        for item in definitions
    }

    assert {
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
    } == _names(said.stdout, "Deployment")
    assert ["v1"] == versions["Kustomization"]
    assert ["v2"] == versions["HelmRelease"]
    status_of = {
        item["spec"]["names"]["kind"]: (
            "status" in version["subresources"],
            "status" in version["schema"]["openAPIV3Schema"]["properties"],
        )
        for item in definitions
        for version in item["spec"]["versions"]
    }
    static = {"Alert", "Provider"}
    assert {(False, False)} == {status_of[kind] for kind in static}
    assert {(True, True)} == {status_of[kind] for kind in status_of.keys() - static}


def test_components_narrow_what_is_exported(run: Run) -> None:
    """Only the controllers asked for, and only their kinds."""
    words = ["--components", "source-controller", "--namespace", "flux"]
    said = run("flux", "install", "--export", *words)

    assert {"source-controller"} == _names(said.stdout, "Deployment")
    assert {"flux"} == _names(said.stdout, "Namespace")
    assert "kustomizations.kustomize.toolkit.fluxcd.io" not in said.stdout


def test_an_unknown_component_is_refused(run: Run) -> None:
    """The text is the real one's."""
    said = run("flux", "install", "--export", "--components=foo")

    assert ("", "✗ component foo is not available\n", 1) == (said.stdout, said.stderr, said.code)


def test_check_needs_an_api_server(run: Run) -> None:
    """Without a kubeconfig the check says which file it looked for."""
    said = run("flux", "check", "--pre", "--kubeconfig", "nope")

    assert (
        "► checking prerequisites\n✗ Kubernetes client initialization failed: kubernetes "
        "configuration load failed: stat nope: no such file or directory\n"
    ) == said.stderr
