"""One suite for two Fluxes, the lab's and real controllers: charts that lie in registries."""

from __future__ import annotations

from collections.abc import Callable

from lab.flux.faults import SourceFault
from lab.kubernetes.values import Object, maps
from tests.lab_flux.flux_contract import Flux
from tests.lab_flux.flux_oci import (
    CHART,
    LAB_HOST,
    REPOSITORY,
    SILENT,
    Served,
    break_lab,
    make,
    settle,
)
from tests.lab_flux.flux_world import HELM_RELEASE, condition

PULLING = "chart pull error: failed to download chart for remote reference: "
FETCHING = "failed to get 'oci://HOST/{0}': failed to perform \"FetchReference\" on source: "
CHOOSING = "chart pull error: failed to get chart version for remote reference: "
LISTING = 'could not get tags for "{0}": could not fetch tags for "oci://HOST/{1}/{0}": '
UNKNOWN = "unknown build error: failed to authenticate with the Helm repository: "
ERROR = "ChartPullError"
# Repository, chart, version; reason and message of the HelmChart's Ready.
CHARTS: dict[str, tuple[str, str, str, tuple[str, str]]] = {
    "tag": (
        "charts",
        "web",
        "1.2.3",
        ("ChartPullSucceeded", "pulled 'web' chart with version '1.2.3'"),
    ),
    "range": (
        "charts",
        "web",
        "1.x",
        ("ChartPullSucceeded", "pulled 'web' chart with version '1.3.0'"),
    ),
    "no-tag": (
        "charts",
        "web",
        "9.9.9",
        (
            ERROR,
            f"{PULLING}{FETCHING.format('charts/web:9.9.9')}HOST/charts/web:9.9.9: not found",
        ),
    ),
    "no-range": (
        "charts",
        "web",
        "9.x",
        (ERROR, f"{CHOOSING}could not locate a version matching provided version string 9.x"),
    ),
    "no-name": (
        "charts",
        "none",
        "1.x",
        (
            ERROR,
            (
                f"{CHOOSING}{LISTING.format('none', 'charts')}"
                'GET "http://HOST/v2/charts/none/tags/list": response status code 404: '
                "name unknown: repository name not known"
            ),
        ),
    ),
    "denied": (
        "denied",
        "web",
        "1.2.3",
        (
            "Unknown",
            (
                f"{UNKNOWN}{PULLING}{FETCHING.format('denied/web:1.2.3')}"
                'GET "http://HOST/v2/denied/web/manifests/1.2.3": response status code 401: '
                "unauthorized: authentication required"
            ),
        ),
    ),
    "denied-range": (
        "denied",
        "web",
        "1.x",
        (
            "Unknown",
            (
                f"{UNKNOWN}{CHOOSING}{LISTING.format('web', 'denied')}"
                'GET "http://HOST/v2/denied/web/tags/list": response status code 401: '
                "unauthorized: authentication required"
            ),
        ),
    ),
    "silent": (
        "silent",
        "web",
        "1.2.3",
        (
            ERROR,
            (
                f"{PULLING}{FETCHING.format('charts/web:1.2.3')}"
                'Get "http://HOST/v2/charts/web/manifests/1.2.3": '
                "dial tcp HOST: connect: connection refused"
            ),
        ),
    ),
    "secret": (
        "secret",
        "web",
        "1.2.3",
        (
            "Unknown",
            (
                "unknown build error: failed to get authentication secret 'SPACE/none': "
                'secrets "none" not found'
            ),
        ),
    ),
}


def ended_for(reason: str) -> Callable[[Object], bool]:
    """Tell whether Ready has a reason."""
    return lambda obj: condition(obj, "Ready")[1] == reason


async def test_charts_of_registries(flux: Flux, served: Served) -> None:
    """HelmRepositories with `type: oci` say nothing; their charts say it all."""
    silent = served.host if served.host == LAB_HOST else SILENT
    repositories: dict[str, Object] = {
        "charts": {"url": f"oci://{served.host}/charts"},
        "denied": {"url": f"oci://{served.host}/denied"},
        "silent": {"url": f"oci://{silent}/charts"},
        "secret": {"url": f"oci://{served.host}/charts", "secretRef": {"name": "none"}},
    }
    break_lab(flux, f"{flux.space}-denied", SourceFault.OCI_DENIED)
    break_lab(flux, f"{flux.space}-silent", SourceFault.OCI_ABSENT)
    for name, spec in repositories.items():
        full: Object = {"type": "oci", "insecure": True, **spec}
        await flux.cluster.apply(make(REPOSITORY, name, flux.space, **full))
    for name, (repository, chart, version, _) in CHARTS.items():
        source: Object = {"kind": "HelmRepository", "name": repository}
        wanted: Object = {"chart": chart, "version": version, "sourceRef": source}
        await flux.cluster.apply(make(HELM_RELEASE, name, flux.space, chart={"spec": wanted}))
    said: dict[str, tuple[str, str]] = {}
    for name, (_, _, _, (wanted_reason, _)) in CHARTS.items():
        key = f"{flux.space}-{name}"
        found = await flux.cluster.until(CHART, key, flux.space, ended_for(wanted_reason))
        _, reason, message = condition(found, "Ready")
        said[name] = reason, settle(message, flux, served.host)
    silent_one = await flux.ask(REPOSITORY, "charts")

    assert {name: wanted for name, (_, _, _, wanted) in CHARTS.items()} == said
    assert [] == maps(silent_one, "status", "conditions")
