"""The first cause of what is broken in a cluster of the lab, and how soon it is named."""

from __future__ import annotations

import pytest

from lab.kubernetes.ailing import ApiFault
from lifecycle.diagnosis import diagnose
from tests.diagnosis.diagnosis_world import BrokenWorld

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Simulated seconds since the cluster came up until a cause has to be named. Everything is applied
# at once and two charts are rendered at a time, in wall time, which passes here forty times as
# slowly; the lab needs about a third of it.
_SOON_S = 1200.0
_TREE = "clusters/main/kubernetes"


@pytest.mark.parametrize(
    ("component", "signature", "cause", "command"),
    [
        (
            "image",
            "image-not-pulled",
            "image cannot be pulled: `ghcr.io/example/unpullable:1.4.0`",
            f"the image at {_TREE}/image/image/app/object-1.yaml:1:1, push, then: flux reconcile",
        ),
        (
            "remedied",
            "image-not-pulled",
            "image cannot be pulled: `ghcr.io/example/unpullable:1.4.0`",
            "flux reconcile helmrelease remedied -n remedied",
        ),
        (
            "crash",
            "crash-loop",
            "last with exit code 1 (Error)",
            "kubectl -n crash logs crash-",
        ),
        (
            "secret",
            "config-missing",
            "secret does not exist: `secret/database`",
            f"add it beside {_TREE}/secret/secret/app/object-1.yaml",
        ),
        (
            "values",
            "template-failed",
            "range can't iterate over none",
            f"correct spec.values at {_TREE}/values/values/app/object-1.yaml",
        ),
        (
            "egg",
            "dependency-cycle",
            "they wait for each other: egg -> hen -> egg",
            "remove one dependsOn of the chain",
        ),
        (
            "sourceless",
            "source-missing",
            "which Kustomization flux-system/sourceless builds from (did you mean `cluster`?)",
            f"correct sourceRef or chartRef at {_TREE}/sourceless/sourceless/ks.yaml",
        ),
        (
            "chartless",
            "artifact-missing",
            "app-template:9.9.9: not found",
            f"correct name and tag at {_TREE}/chartless/chartless/app/object-1.yaml",
        ),
        (
            "unclassed",
            "storage-class-unnamed",
            "PersistentVolumeClaim unclassed/data names no StorageClass",
            f"name a class at {_TREE}/unclassed/unclassed/app/object-1.yaml",
        ),
        (
            "patient",
            "dependency-missing",
            "Kustomization flux-system/waiter depends on what does not exist: `flux-system/typo`",
            f"correct dependsOn at {_TREE}/waiter/waiter/ks.yaml",
        ),
        (
            "guarded",
            "image-not-pulled",
            "image cannot be pulled: `ghcr.io/example/unpullable-guard:2.0.0`",
            f"correct name and tag of the image at {_TREE}/guard/guard/app/object-3.yaml",
        ),
        (
            "variables",
            "variables-missing",
            "variables are not in the cluster: `ConfigMap/settings`",
            f"correct postBuild.substituteFrom at {_TREE}/variables/variables/ks.yaml",
        ),
    ],
)
async def test_cause_of_a_component_is_named(
    broken: BrokenWorld, component: str, signature: str, cause: str, command: str
) -> None:
    """The gate of a layer ends with what is wrong, where, and what repairs it."""
    # A cause comes bit by bit: that a container ends again and again before how it ended.
    found = await broken.find_cause(
        f"layer-is-ready/{component}", signature, within_s=_SOON_S, told=cause
    )

    assert command in found.command
    assert found.evidence[0].startswith("Kustomization flux-system/")


async def test_kind_whose_release_was_accepted(broken: BrokenWorld) -> None:
    """A kind that nobody brings any more names who would have, and the two ways out."""
    found = await broken.find_cause(
        "layer-is-ready/pools", "kind-of-accepted", within_s=_SOON_S, accepted=("metallb",)
    )

    assert "`IPAddressPool` of `metallb.io/v1beta1`; HelmRelease metallb/metallb" in found.cause
    assert "without --accept metallb, or with --accept pools too" in found.command
    assert "pools" == found.component


async def test_kind_whose_release_is_suspended(broken: BrokenWorld) -> None:
    """A missing kind leads on to the release that brings it, and why that is not ready."""
    found = await broken.find_cause("layer-is-ready/pools", "suspended", within_s=_SOON_S)

    assert "HelmRelease metallb/metallb is suspended" == found.cause
    assert "metallb" == found.component
    assert any("HelmRelease metallb/metallb brings it" in line for line in found.evidence)


async def test_service_without_an_address(broken: BrokenWorld) -> None:
    """A LoadBalancer that no pool serves is among what a layer does not keep."""
    await broken.until(("v1", "Service"), "front", "balanced", lambda obj: "spec" in obj)
    found = await diagnose(broken.world(), "layer-keeps-promises/balanced")

    assert "addresses-absent" in {diagnosis.signature for diagnosis in found}


async def test_everything_at_once(broken: BrokenWorld) -> None:
    """The last gate names a handful of causes, each once, and who else waits for the same."""
    await broken.find_cause("layer-is-ready/patient", "dependency-missing", within_s=_SOON_S)
    found = await diagnose(broken.world(), "cluster-is-healthy")
    causes = [diagnosis.cause for diagnosis in found]

    assert len(set(causes)) == len(causes) <= 5
    assert any("waiting for the same: " in diagnosis.evidence[-1] for diagnosis in found)


@pytest.mark.parametrize(
    ("fault", "step", "seen", "signature"),
    [
        (ApiFault.THROTTLED, "lease-is-held", "", "api-throttled"),
        (ApiFault.CACHE_COLD, "nodes-are-ready", "", "api-cache-cold"),
        (
            ApiFault.ETCD_TIMEOUT,
            "api-servers-are-ready",
            "1 of 2 ready; cp-1: API server is not ready: etcd failed",
            "api-etcd-failing",
        ),
        (
            ApiFault.HANGING,
            "api-servers-are-ready",
            "1 of 2 ready; cp-1: API server does not answer: `10.42.0.11:6443`: ReadTimeout",
            "api-hanging",
        ),
        (
            ApiFault.ETCD_TIMEOUT,
            "apply-layer/pools",
            "etcdserver: request timed out",
            "api-etcd-failing",
        ),
    ],
)
async def test_api_in_trouble_is_the_cause(
    broken: BrokenWorld, fault: ApiFault, step: str, seen: str, signature: str
) -> None:
    """Nothing else is blamed where the API server itself says what is wrong with it."""
    broken.plane.set_fault("", fault)
    try:
        (found,) = await diagnose(broken.world(), step, seen)
    finally:
        broken.plane.set_fault("", fault, on=False)

    assert signature == found.signature
    assert found.command.endswith("then run again")
    assert ("10.42.0.11" in found.command) is (signature != "api-throttled")


async def test_api_that_goes_away(broken: BrokenWorld) -> None:
    """What cannot be looked at is said; a diagnosis raises nothing."""
    found = await diagnose(broken.world(), "apply-machine-config/cp-1")

    assert ["not found"] == [diagnosis.cause for diagnosis in found]
    assert found[0].evidence[0].startswith("could not look further: AttributeError")


async def test_preflight_explains_itself(broken: BrokenWorld) -> None:
    """Gates before the first change name cause and place in their own error."""
    found = await diagnose(broken.world(), "repository-is-sound")

    assert () == found
