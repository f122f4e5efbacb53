"""One suite for two Fluxes, the lab's and real controllers: releases that fail, and remedies."""

from __future__ import annotations

from uuid import uuid4

import pytest

from lab.kubernetes.values import Json, Object, at, grow, maps, number, text
from tests.lab_flux.flux_contract import MAP, Flux
from tests.lab_flux.flux_world import HELM_RELEASE, condition, is_ready
from tests.lab_flux.test_flux_contract_releases import release, tell, until

pytestmark = pytest.mark.usefixtures("helm_tools")

WHY = 'server-side apply failed for object nowhere/web /v1, Kind=ConfigMap: namespaces "nowhere"'
NOWHERE: Json = {"namespace": "nowhere"}


def is_stalled(obj: Object) -> bool:
    """Tell whether a release is given up."""
    return condition(obj, "Stalled")[0] == "True"


def is_rolled_back(obj: Object) -> bool:
    """Tell whether a rollback is the last that became of a release.

    Real controllers write conditions and the rest of a status one after the other.
    """
    newest = next(iter(maps(obj, "status", "history")), {})
    is_told = condition(obj, "Ready")[1] == "RollbackSucceeded"
    return is_told and text(newest, "action") == "rollback"


def retries(count: int) -> Json:
    """Make the settings of an action that is tried again."""
    return {"remediation": {"retries": count}}


async def ask_for(flux: Flux, *names: str) -> str:
    """Set annotations of a release to one new value; returns it."""
    asked = uuid4().hex
    found = await flux.ask(HELM_RELEASE, "web")
    metadata: Object = {"name": "web", "namespace": flux.space}
    grow(metadata, "annotations").update({f"reconcile.fluxcd.io/{name}": asked for name in names})
    kind: Object = {"apiVersion": HELM_RELEASE[0], "kind": HELM_RELEASE[1], "metadata": metadata}
    await flux.cluster.apply({**kind, "spec": found["spec"]})
    return asked


async def test_install_that_fails_is_given_up(flux: Flux) -> None:
    """Without retries one failure is the last; Ready keeps why, Stalled says how often."""
    await release(flux, chart="spaced", values=NOWHERE)
    given_up = await until(flux, is_stalled)
    status, reason, message = await tell(flux, is_stalled)

    failed = "Helm install failed for release SPACE/web with chart spaced@1.2.3"
    assert ("True", "RetriesExceeded", "Failed to install after 1 attempt(s)") == (
        condition(given_up, "Stalled")
    )
    assert ("False", "InstallFailed", f"{failed}: {WHY} not found") == (status, reason, message)
    assert 1 == number(given_up, "status", "installFailures")
    assert condition(given_up, "Reconciling") == ("", "", "")
    assert 1 == number(given_up, "status", "observedGeneration")


async def test_install_that_fails_is_removed_before_the_next(flux: Flux) -> None:
    """With retries each failure but the last is uninstalled, and told in Remediated."""
    await release(flux, chart="spaced", values=NOWHERE, install=retries(-1))
    remedied = await until(flux, lambda obj: condition(obj, "Remediated")[0] == "True")

    done = "Helm uninstall remediation for release SPACE/web.v1 with chart spaced@1.2.3 succeeded"
    status, reason, message = condition(remedied, "Remediated")
    assert ("True", "UninstallSucceeded", done) == (
        *(status, reason),
        message.replace(flux.space, "SPACE"),
    )
    assert not is_stalled(remedied)


async def test_upgrade_that_fails_is_rolled_back(flux: Flux) -> None:
    """A rollback is a revision; the last failure is rolled back, too, before all is given up."""
    await release(flux)
    await until(flux, is_ready)
    await release(flux, version="2.0.0", values=NOWHERE, upgrade=retries(1))
    given_up = await until(flux, lambda obj: is_stalled(obj) and is_rolled_back(obj))
    said = await tell(flux, is_rolled_back)

    done = "Helm rollback to previous release SPACE/web.v3 with chart web@1.2.3 succeeded"
    failed = "Helm upgrade failed for release SPACE/web with chart web@2.0.0"
    released = condition(given_up, "Released")[2].replace(flux.space, "SPACE")
    assert ("False", "RollbackSucceeded", done) == said
    assert f"{failed}: failed to create resource: {WHY} not found" == released
    assert "Failed to upgrade after 2 attempt(s)" == condition(given_up, "Stalled")[2]
    assert [
        ("rollback", 5, "deployed"),
        ("upgrade", 4, "failed"),
        ("rollback", 3, "superseded"),
    ] == [
        (text(entry, "action"), number(entry, "version"), text(entry, "status"))
        for entry in maps(given_up, "status", "history")
    ]
    assert {"key": "default", "version": "1.2.3"} == at(await flux.ask(MAP, "web"), "data")


async def test_upgrade_without_retries_stays_failed(flux: Flux) -> None:
    """Nothing is rolled back where nobody asked for it."""
    await release(flux)
    await until(flux, is_ready)
    await release(flux, version="2.0.0", values=NOWHERE)
    given_up = await until(flux, is_stalled)

    assert "UpgradeFailed" == condition(given_up, "Ready")[1]
    assert [(2, "failed"), (1, "deployed")] == [
        (number(entry, "version"), text(entry, "status"))
        for entry in maps(given_up, "status", "history")
    ]


async def test_requests_of_a_release_that_was_given_up(flux: Flux) -> None:
    """A request alone changes nothing, a reset begins to count anew, force tries once more."""

    async def handle(*names: str) -> tuple[str, int]:
        asked = await ask_for(flux, *names)
        done = await until(
            flux,
            lambda obj: (
                is_stalled(obj)
                and text(obj, "status", "lastHandledReconcileAt") == asked
                and not condition(obj, "Reconciling")[0]
            ),
        )
        return condition(done, "Stalled")[2], number(done, "status", "failures")

    await release(flux, chart="spaced", values=NOWHERE)
    await until(flux, is_stalled)
    requested = await handle("requestedAt")
    reset = await handle("requestedAt", "resetAt")
    forced = await handle("requestedAt", "forceAt")

    assert ("Failed to install after 1 attempt(s)", 1) == requested
    assert ("Failed to upgrade after 1 attempt(s)", 1) == reset
    assert ("Failed to upgrade after 2 attempt(s)", 2) == forced


async def test_reset_without_a_request_is_nothing(flux: Flux) -> None:
    """An annotation counts only where it equals requestedAt."""
    await release(flux, chart="spaced", values=NOWHERE)
    await until(flux, is_stalled)
    await ask_for(flux, "resetAt")
    await release(flux, "other")
    await until(flux, is_ready, "other")
    after = await flux.ask(HELM_RELEASE, "web")

    assert (1, "") == (
        number(after, "status", "installFailures"),
        text(after, "status", "lastHandledResetAt"),
    )


async def test_dependent_waits_for_one_that_was_given_up(flux: Flux) -> None:
    """The dependent says who is not ready, as long as it is not."""
    await release(flux, "other", "spaced", values=NOWHERE)
    await until(flux, is_stalled, "other")
    await release(flux, dependsOn=[{"name": "other"}])
    said = await tell(flux, lambda obj: condition(obj, "Ready")[1] == "DependencyNotReady")
    before = await flux.ask(MAP, "web")
    await release(flux, "other", "spaced", values={"namespace": flux.space})
    await until(flux, is_ready, "other")
    await until(flux, is_ready)

    assert ("False", "DependencyNotReady", "dependency 'SPACE/other' is not ready") == said
    assert {} == before
