"""Faults that people found by hand in real repositories, and findings that say the same."""

from __future__ import annotations

import pytest

from tests.inventory.inventory_trees import REPOSITORIES, SLUGS, expected, read

pytestmark = pytest.mark.skipif(
    not REPOSITORIES.is_dir(), reason="the shared test data is not beside the repository"
)


@pytest.fixture(params=SLUGS)
def slug(request: pytest.FixtureRequest) -> str:
    """Give the name of a tree."""
    return str(request.param)


# What people found by hand, and the findings that say the same.
FAULTS = {
    "missing-source": "missing-source",
    "two-upgraders": "two-upgraders",
    "crd-and-cr-in-one-component": "crd-beside-release",
    "crd-order-not-declared": "crd-order-not-declared",
    "namespace-not-declared": "namespace-not-declared",
    "object-owned-twice": "object-owned-twice",
    "empty-live-file": "empty-live-file",
    "talos-patches-not-tracked": "generated-patches",
    "unused-source": "unused-source",
    "version-drift": "version-drift",
    "helm-repos-lists-itself": "lists-itself",
    "entry-not-in-tree": "entry-not-in-tree",
    "dependency-cycle": "cold-start-cycle",
    "settings-drift": "settings-drift",
    "name-differs-from-directory": "name-differs-from-directory",
    "source-defined-twice": "source-defined-twice",
    "suspended-release": "suspended",
    "kubectl-skew": "image-skew",
    "layer-not-listed": "layer-not-listed",
    "provider-not-live": "provider-not-live",
    "no-kustomization-file": "no-kustomization-file",
    "sops-key-in-tree": "sops-key-in-tree",
    "cr-in-entry-build": "crd-in-entry",
    "undefined-variable": "undefined-variable",
    "release-order-not-declared": "release-order-not-declared",
    "chart-consumer-without-provider": "release-without-provider",
}


def test_faults_seen_by_people_are_found(slug: str) -> None:
    """Each fault that files show, and that was found by hand, is a finding."""
    faults = expected(slug)["known_faults"]["items"]
    assert isinstance(faults, list)
    wanted = {FAULTS[item["id"]] for item in faults if item["id"] in FAULTS}
    found = {finding.id for finding in read(slug).findings}

    assert wanted - found == set()


def test_no_false_faults(slug: str) -> None:
    """No build, variable or YAML error is claimed where real tools found none."""
    found = {finding.id for finding in read(slug).findings}
    faults = expected(slug)["known_faults"]["items"]
    assert isinstance(faults, list)
    known = {FAULTS.get(item["id"], item["id"]) for item in faults}
    serious = {
        "missing-source",
        "missing-path",
        "missing-resource",
        "missing-dependency",
        "duplicate-id",
        "invalid-yaml",
        "patch-failed",
        "undefined-variable",
        "malformed-substitution",
        "missing-substitution-source",
        "entry-build-failed",
        "two-upgraders",
        "vip-is-node",
        "vip-in-pool",
        "node-in-pool",
        "networks-overlap",
        "crd-in-entry",
        "provider-not-live",
        "layer-not-listed",
        "namespace-not-declared",
        "object-owned-twice",
    }

    assert (found & serious) - known == set()
