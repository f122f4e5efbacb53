"""helm-controller's rules, on real `helm template`."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest

from lab.flux.actions import HelmActions
from lab.flux.counting import aim
from lab.flux.objects import Context
from lab.flux.readiness import Readiness
from lab.kubernetes.values import Json, Object, at, grow, maps, number, text
from lab.tools import LabTools
from tests.lab_flux.flux_world import (
    HELM_RELEASE,
    FluxWorld,
    condition,
    has_failed,
    is_ready,
    make_helm_release,
    make_helm_repository,
    plant_flux,
)

pytestmark = pytest.mark.usefixtures("helm_tools")


@pytest.fixture(autouse=True)
async def _prepared(world: FluxWorld, helm_tools: LabTools) -> None:
    del helm_tools
    await world.apply_namespaces("apps", "longhorn-system")
    await world.apply(make_helm_repository())


def _is_stalled(obj: Object) -> bool:
    return condition(obj, "Stalled")[0] == "True"


async def test_installs_and_records(world: FluxWorld) -> None:
    """A release is rendered, owned, waited for, and recorded where Helm looks for it."""
    await world.apply(make_helm_release("longhorn", "longhorn-system", "longhorn"))
    done = await world.until(HELM_RELEASE, "longhorn", "longhorn-system", is_ready)
    manager = await world.client.get("apps/v1", "DaemonSet", "longhorn-manager", "longhorn-system")
    record = await world.client.get(
        "v1", "Secret", "sh.helm.release.v1.longhorn.v1", "longhorn-system"
    )
    body = gzip.decompress(base64.b64decode(base64.b64decode(text(record, "data", "release"))))

    assert condition(done, "Ready")[1:] == (
        "InstallSucceeded",
        "Helm install succeeded for release longhorn-system/longhorn.v1 with chart longhorn@1.2.3",
    )
    assert text(manager, "metadata", "annotations", "meta.helm.sh/release-name") == "longhorn"
    assert text(manager, "metadata", "labels", "app.kubernetes.io/managed-by") == "Helm"
    assert json.loads(body)["info"]["status"] == "deployed"
    assert maps(done, "status", "history")[0]["status"] == "deployed"
    assert world.ledger.acts["helm.install/longhorn-system/longhorn"] == 1


async def test_crds_in_templates_come_with_the_release(world: FluxWorld) -> None:
    """Longhorn's definitions are ordinary objects of its release, and are served afterwards."""
    await world.apply(make_helm_release("longhorn", "longhorn-system", "longhorn"))
    await world.until(HELM_RELEASE, "longhorn", "longhorn-system", is_ready)

    assert await world.client.serves("longhorn.io/v1beta2", "RecurringJob")


async def test_crds_folder_is_applied_before(world: FluxWorld) -> None:
    """Definitions in Helm's crds/ folder are applied by policy and carry no Helm ownership."""
    await world.apply(make_helm_release("tuppr", "apps", "tuppr"))
    await world.until(HELM_RELEASE, "tuppr", "apps", is_ready)
    crd = await world.client.get(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "talosupgrades.tuppr.home-operations.com",
    )

    assert "annotations" not in at(crd, "metadata")


async def test_waits_for_namespace_and_source(world: FluxWorld) -> None:
    """A release whose HelmRepository is missing says so, with the source's own words."""
    release = make_helm_release("tuppr", "apps", "tuppr")
    grow(release, "spec", "chart", "spec", "sourceRef")["name"] = "none"
    await world.apply(release)
    failed = await world.until(
        HELM_RELEASE,
        "tuppr",
        "apps",
        lambda obj: "not found" in condition(obj, "Ready")[2],
    )

    assert condition(failed, "Ready")[1:] == (
        "SourceNotReady",
        (
            "HelmChart 'flux-system/apps-tuppr' is not ready: failed to get source: "
            'helmrepositories.source.toolkit.fluxcd.io "none" not found'
        ),
    )


async def test_missing_oci_source_is_told(world: FluxWorld) -> None:
    """A chartRef to an OCIRepository that does not exist never installs."""
    release = make_helm_release("tuppr", "apps", "tuppr")
    spec = at(release, "spec")
    spec.pop("chart")
    spec["chartRef"] = {"kind": "OCIRepository", "name": "tuppr", "namespace": "flux-system"}
    await world.apply(release)
    failed = await world.until(HELM_RELEASE, "tuppr", "apps", has_failed)

    assert condition(failed, "Ready")[1:] == (
        "ArtifactFailed",
        'could not get Source object: ocirepositories.source.toolkit.fluxcd.io "tuppr" not found',
    )


async def test_retries_run_out(world: FluxWorld) -> None:
    """An install that never gets ready is remedied, tried again, and stalls in the end."""
    world.broken.add("tuppr")
    remediation: Object = {"remediation": {"retries": 1}}
    await world.apply(
        make_helm_release("tuppr", "apps", "tuppr", timeout="2s", install=remediation)
    )
    stalled = await world.until(HELM_RELEASE, "tuppr", "apps", _is_stalled)

    assert condition(stalled, "Stalled")[1:] == (
        "RetriesExceeded",
        "Failed to install after 2 attempt(s)",
    )
    assert condition(stalled, "Ready")[:2] == ("False", "InstallFailed")
    assert "status: 'InProgress'" in condition(stalled, "Ready")[2]
    assert number(stalled, "status", "installFailures") == 2
    assert at(stalled, "status")["observedGeneration"] == 1
    assert world.ledger.acts["helm.install/apps/tuppr"] == 2


async def test_stalled_stays_until_reset(world: FluxWorld) -> None:
    """What stalled it may be gone: nothing happens before resetAt equals requestedAt."""
    world.broken.add("tuppr")
    await world.apply(make_helm_release("tuppr", "apps", "tuppr", timeout="2s"))
    await world.until(HELM_RELEASE, "tuppr", "apps", _is_stalled)
    await world.mend("tuppr")
    await world.request(HELM_RELEASE, "tuppr", "apps", "t1")
    still = await world.until(
        HELM_RELEASE,
        "tuppr",
        "apps",
        lambda obj: text(obj, "status", "lastHandledReconcileAt") == "t1",
    )
    body: Object = {
        "reconcile.fluxcd.io/requestedAt": "t2",
        "reconcile.fluxcd.io/resetAt": "t2",
    }
    await world.client.patch(
        *HELM_RELEASE, "tuppr", "apps", body={"metadata": {"annotations": body}}
    )
    await world.until(HELM_RELEASE, "tuppr", "apps", is_ready)

    assert _is_stalled(still)


async def test_kinds_that_are_not_served_do_not_count(world: FluxWorld) -> None:
    """A chart with objects of an unknown kind fails before Helm records anything."""
    values: Object = {"ipAddressPools": [{"name": "main", "addresses": ["10.0.0.1-10.0.0.9"]}]}
    await world.apply(make_helm_release("pools", "apps", "metallb-config", values=values))
    failed = await world.until(HELM_RELEASE, "pools", "apps", has_failed)

    assert (
        'no matches for kind "IPAddressPool" in version "metallb.io/v1beta1"'
        in (condition(failed, "Ready")[2])
    )
    assert "installFailures" not in at(failed, "status")
    assert not _is_stalled(failed)


async def test_changed_values_upgrade(world: FluxWorld) -> None:
    """Other values make the next revision; an upgrade keeps what both have."""
    await world.apply(make_helm_release("app", "apps", "app-template"))
    await world.until(HELM_RELEASE, "app", "apps", is_ready)
    values: Object = {"persistence": {"data": {"type": "persistentVolumeClaim"}}}
    await world.apply(make_helm_release("app", "apps", "app-template", values=values))
    done = await world.until(
        HELM_RELEASE, "app", "apps", lambda obj: is_ready(obj) and _version(obj) == 2
    )
    claim = await world.client.find("v1", "PersistentVolumeClaim", "app-data", "apps")

    assert condition(done, "Ready")[1] == "UpgradeSucceeded"
    assert [item["status"] for item in maps(done, "status", "history")] == [
        "deployed",
        "superseded",
    ]
    assert claim is not None


def _version(obj: Object) -> int:
    return number(maps(obj, "status", "history")[0], "version")


async def test_refuses_foreign_objects_when_told_to(world: FluxWorld) -> None:
    """With disableTakeOwnership an object of somebody else stops the install, in Helm's words."""
    await world.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "app", "namespace": "apps"},
        },
        make_helm_release("app", "apps", "app-template", install={"disableTakeOwnership": True}),
    )
    failed = await world.until(HELM_RELEASE, "app", "apps", has_failed)

    assert condition(failed, "Ready")[2] == (
        "Helm install failed for release apps/app with chart app-template@1.2.3: unable to "
        'continue with install: ServiceAccount "app" in namespace "apps" exists and cannot be '
        "imported into the current release: invalid ownership metadata; label validation error: "
        'missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation '
        'validation error: missing key "meta.helm.sh/release-name": must be set to "app"; '
        'annotation validation error: missing key "meta.helm.sh/release-namespace": must be set '
        'to "apps"'
    )


async def test_takes_over_what_is_there_by_default(world: FluxWorld) -> None:
    """helm-controller owns what it finds unless told otherwise (since v1.3)."""
    await world.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "app", "namespace": "apps"},
        },
        make_helm_release("app", "apps", "app-template"),
    )
    await world.until(HELM_RELEASE, "app", "apps", is_ready)
    account = await world.client.get("v1", "ServiceAccount", "app", "apps")

    assert text(account, "metadata", "annotations", "meta.helm.sh/release-name") == "app"


async def test_depends_on_another_release(world: FluxWorld) -> None:
    """A dependsOn holds a release until the other is Ready."""
    dependency: Object = {"name": "longhorn", "namespace": "longhorn-system"}
    await world.apply(make_helm_release("app", "apps", "app-template", dependsOn=[dependency]))
    waiting = await world.until(HELM_RELEASE, "app", "apps", has_failed)
    await world.apply(make_helm_release("longhorn", "longhorn-system", "longhorn"))
    await world.until(HELM_RELEASE, "app", "apps", is_ready)

    assert condition(waiting, "Ready")[1] == "DependencyNotReady"


async def test_hooks_run_and_go(world: FluxWorld) -> None:
    """A post-install Job runs to its end and is deleted as its policy says."""
    values: Object = {"crds": {"enabled": True}}
    await world.apply(make_helm_release("cert-manager", "apps", "cert-manager", values=values))
    await world.until(HELM_RELEASE, "cert-manager", "apps", is_ready)

    assert await world.client.list("batch/v1", "Job") == []


def _make_hook(api_version: str, kind: str, weight: int, **fields: Json) -> Object:
    annotations: Object = {
        "helm.sh/hook": "post-install",
        "helm.sh/hook-weight": str(weight),
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    metadata: Object = {"name": "check", "annotations": annotations}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


async def test_account_of_a_hook_outlives_its_job(world: FluxWorld) -> None:
    """A ServiceAccount that is a hook itself is there while the Job that names it runs."""
    template: Object = {"spec": {"serviceAccountName": "check", "restartPolicy": "Never"}}
    hooks = [
        _make_hook("v1", "ServiceAccount", -5),
        _make_hook("batch/v1", "Job", 1, spec={"template": template}),
    ]
    context = Context(world.clock, world.client, "helm-controller")
    actions = HelmActions(context, Readiness(world.clock, world.client))
    target = aim(make_helm_release("any", "apps", "any"), "install")
    running = asyncio.create_task(actions.run_hooks(target, hooks, "post-install"))
    async for event in world.client.watch("batch/v1", "Job", "apps"):
        if event.type == "ADDED":
            break
    account = await world.client.find("v1", "ServiceAccount", "check", "apps")
    await running
    left = [
        await world.client.find("v1", "ServiceAccount", "check", "apps"),
        await world.client.find("batch/v1", "Job", "check", "apps"),
    ]

    assert account is not None
    assert [None, None] == left


async def test_removing_a_release_uninstalls_it(world: FluxWorld) -> None:
    """The finalizer removes objects and records before the HelmRelease goes."""
    await world.apply(make_helm_release("app", "apps", "app-template"))
    await world.until(HELM_RELEASE, "app", "apps", is_ready)
    await world.client.delete(*HELM_RELEASE, "app", "apps")
    await world.until_gone(HELM_RELEASE, "app", "apps")

    assert await world.client.list("apps/v1", "Deployment", "apps") == []
    assert await world.client.list("v1", "Secret", "apps") == []


async def test_flux_rests_while_its_deployments_are_away(world: FluxWorld) -> None:
    """Without an Available helm-controller nothing is installed; it goes on when it returns."""
    world.broken.add("helm-controller")
    await world.client.delete("apps/v1", "Deployment", "helm-controller", "flux-system")
    await asyncio.sleep(0.05)
    await world.apply(make_helm_release("app", "apps", "app-template"))
    await asyncio.sleep(0.1)
    untouched = await world.client.get(*HELM_RELEASE, "app", "apps")

    assert "status" not in untouched


async def test_release_that_was_in_sync_is_ready_again(world: FluxWorld) -> None:
    """A source that is away makes a release not ready; when it is back, nothing is left to do."""
    await world.apply(make_helm_release("app", "apps", "app-template"))
    before = await world.until(HELM_RELEASE, "app", "apps", is_ready)
    await world.client.delete("apps/v1", "Deployment", "source-controller", "flux-system")
    await asyncio.sleep(0.05)
    await world.request(HELM_RELEASE, "app", "apps", "1")
    await world.until(
        HELM_RELEASE, "app", "apps", lambda obj: condition(obj, "Ready")[1] == "SourceNotReady"
    )
    await plant_flux(world)
    after = await world.until(HELM_RELEASE, "app", "apps", is_ready)

    assert condition(before, "Ready") == condition(after, "Ready")
    assert world.ledger.acts["helm.install/apps/app"] == 1
    assert "helm.upgrade/apps/app" not in world.ledger.acts
