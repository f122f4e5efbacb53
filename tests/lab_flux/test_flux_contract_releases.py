"""One suite for two Fluxes, the lab's and real controllers: what a HelmRelease says and does.

Pods do not run in the real one, which has no controller manager; the charts have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lab.kubernetes.values import Json, Object, at, maps, text
from tests.lab_flux.flux_contract import MAP, Flux
from tests.lab_flux.flux_world import HELM_RELEASE, condition, has_failed, is_ready

pytestmark = pytest.mark.usefixtures("helm_tools")

REPOSITORY = ("source.toolkit.fluxcd.io/v1", "HelmRepository")


async def release(flux: Flux, name: str = "web", chart: str = "web", **spec: Json) -> None:
    """Apply a HelmRelease of the charts."""
    version = spec.pop("version", "1.2.3")
    reference: Object = {"kind": "HelmRepository", "name": "charts"}
    wanted: Object = {"chart": chart, "version": version, "sourceRef": reference}
    repository: Object = {
        "apiVersion": REPOSITORY[0],
        "kind": REPOSITORY[1],
        "metadata": {"name": "charts", "namespace": flux.space},
        "spec": {"interval": "1h", "url": flux.charts_url},
    }
    obj: Object = {
        "apiVersion": HELM_RELEASE[0],
        "kind": HELM_RELEASE[1],
        "metadata": {"name": name, "namespace": flux.space},
        "spec": {"interval": "1h", "chart": {"spec": wanted}, **spec},
    }
    await flux.cluster.apply(repository, obj)


async def until(flux: Flux, holds: Callable[[Object], bool], name: str = "web") -> Object:
    """Wait for a HelmRelease."""
    return await flux.cluster.until(HELM_RELEASE, name, flux.space, holds)


async def tell(flux: Flux, holds: Callable[[Object], bool]) -> tuple[str, str, str]:
    """Wait for a HelmRelease; what its Ready says, without the name of the namespace."""
    status, reason, message = condition(await until(flux, holds), "Ready")
    return status, reason, message.replace(flux.space, "SPACE")


async def test_install_is_told_and_recorded(flux: Flux) -> None:
    """Ready names release, revision and chart; what is installed is Helm's."""
    await release(flux, values={"key": "value"})
    said = await tell(flux, is_ready)
    done = await flux.ask(HELM_RELEASE, "web")
    installed = await flux.ask(MAP, "web")
    record = await flux.ask(("v1", "Secret"), "sh.helm.release.v1.web.v1")

    message = "Helm install succeeded for release SPACE/web.v1 with chart web@1.2.3"
    assert ("True", "InstallSucceeded", message) == said
    assert {"key": "value", "version": "1.2.3"} == at(installed, "data")
    annotations = at(installed, "metadata", "annotations")
    assert "web" == text(annotations, "meta.helm.sh/release-name")
    assert flux.space == text(annotations, "meta.helm.sh/release-namespace")
    assert "helm.sh/release.v1" == text(record, "type")
    [entry] = maps(done, "status", "history")
    assert ("web", "1.2.3", "deployed") == (
        text(entry, "chartName"),
        text(entry, "chartVersion"),
        text(entry, "status"),
    )


async def test_upgrade_by_values_and_by_version(flux: Flux) -> None:
    """Each change is a revision; the history begins with the newest."""
    await release(flux)
    await until(flux, is_ready)
    await release(flux, values={"key": "other"})
    second = await tell(flux, lambda obj: is_ready(obj) and "v2 " in condition(obj, "Ready")[2])
    await release(flux, values={"key": "other"}, version="1.3.0")
    third = await tell(flux, lambda obj: is_ready(obj) and "v3 " in condition(obj, "Ready")[2])

    message = "Helm upgrade succeeded for release SPACE/web.{} with chart web@{}"
    assert ("True", "UpgradeSucceeded", message.format("v2", "1.2.3")) == second
    assert ("True", "UpgradeSucceeded", message.format("v3", "1.3.0")) == third
    assert {"key": "other", "version": "1.3.0"} == at(await flux.ask(MAP, "web"), "data")


async def test_chart_that_is_not_there(flux: Flux) -> None:
    """The release says what its HelmChart says: no such version."""
    await release(flux, version="9.9.9")

    status, reason, message = await tell(flux, lambda obj: "no 'web'" in condition(obj, "Ready")[2])
    assert ("False", "SourceNotReady") == (status, reason)
    assert message == (
        "HelmChart 'SPACE/SPACE-web' is not ready: invalid chart reference: failed to get chart "
        "version for remote reference: no 'web' chart with version matching '9.9.9' found"
    )
    chart = await flux.ask((REPOSITORY[0], "HelmChart"), f"{flux.space}-web")
    assert ("True", "InvalidChartReference") == condition(chart, "Stalled")[:2]
    assert 1 == at(chart, "status")["observedGeneration"]


async def test_chart_of_a_name_that_is_not_there(flux: Flux) -> None:
    """A name that the index does not have is told as such."""
    await release(flux, chart="nobody")

    said = await tell(flux, lambda obj: "no chart name" in condition(obj, "Ready")[2])
    why = "invalid chart reference: failed to get chart version for remote reference: no chart name"
    message = f"HelmChart 'SPACE/SPACE-web' is not ready: {why} found"
    assert ("False", "SourceNotReady", message) == said


async def test_template_that_fails(flux: Flux) -> None:
    """Nothing is installed, and the chart's own words are told."""
    await release(flux, chart="needy")

    status, reason, message = await tell(flux, has_failed)
    assert ("False", "InstallFailed") == (status, reason)
    assert message.startswith(
        "Helm install failed for release SPACE/web with chart needy@1.2.3: execution error at "
    )
    assert message.endswith("key is needed, really")


async def test_kind_that_is_not_served(flux: Flux) -> None:
    """Helm refuses before it writes anything."""
    await release(flux, chart="custom")

    said = await tell(flux, has_failed)
    failed = "Helm install failed for release SPACE/web with chart custom@1.2.3"
    why = (
        "unable to build kubernetes objects from release manifest: resource mapping not found for "
        'name: "one" namespace: "" from "": no matches for kind "Unknown" in version '
        '"lab.example/v1"\nensure CRDs are installed first'
    )
    assert ("False", "InstallFailed", f"{failed}: {why}") == said


async def test_values_from_nowhere(flux: Flux) -> None:
    """A missing ConfigMap of valuesFrom keeps the release from being installed."""
    await release(flux, valuesFrom=[{"kind": "ConfigMap", "name": "none"}])

    said = await tell(flux, has_failed)
    place = "ConfigMap chart values reference 'SPACE/none' with key 'values.yaml'"
    message = f'could not resolve {place}: configmaps "none" not found'
    assert ("False", "ValuesError", message) == said


async def test_values_that_lack_the_key(flux: Flux) -> None:
    """A ConfigMap without the key is as good as none."""
    await flux.cluster.apply(flux.settings("few", other="x"))
    await release(flux, valuesFrom=[{"kind": "ConfigMap", "name": "few", "valuesKey": "v.yaml"}])

    said = await tell(flux, has_failed)
    place = "ConfigMap chart values reference 'SPACE/few' with key 'v.yaml'"
    assert ("False", "ValuesError", f"could not resolve {place}: key not found") == said


async def test_dependency_that_is_missing(flux: Flux) -> None:
    """A release waits for the one it depends on."""
    await release(flux, dependsOn=[{"name": "none"}])

    said = await tell(flux, has_failed)
    assert ("False", "DependencyNotReady") == said[:2]
    assert "SPACE/none" in said[2]


async def test_suspended_does_nothing(flux: Flux) -> None:
    """What is suspended is not installed."""
    await release(flux, suspend=True)
    await release(flux, "other")
    await until(flux, is_ready, "other")

    assert {} == await flux.ask(MAP, "web")


async def test_release_that_goes_is_uninstalled(flux: Flux) -> None:
    """What was installed and its record go with the release."""
    await release(flux)
    await until(flux, is_ready)
    await flux.cluster.remove(HELM_RELEASE, "web", flux.space)
    async with asyncio.timeout(20):
        while await flux.ask(HELM_RELEASE, "web"):  # noqa: ASYNC110  it may be another process
            await asyncio.sleep(0.05)

    assert {} == await flux.ask(MAP, "web")
    assert {} == await flux.ask(("v1", "Secret"), "sh.helm.release.v1.web.v1")
