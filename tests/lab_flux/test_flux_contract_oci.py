"""One suite for two Fluxes, the lab's and real controllers: what lies in registries.

The real one asks a registry on loopback; the lab has charts in a folder, and its faults stand for
what a registry refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.flux.faults import SourceFault
from lab.kubernetes.values import Json, Object, maps, text
from tests.lab_flux.flux_contract import Flux, LabWorld
from tests.lab_flux.flux_registry import (
    CHART_LAYER,
    Registry,
    digest_of,
    push_charts,
    serve_registry,
)
from tests.lab_flux.flux_world import HELM_RELEASE, condition, is_ready

ARTIFACT = ("source.toolkit.fluxcd.io/v1", "OCIRepository")
REPOSITORY = (ARTIFACT[0], "HelmRepository")
CHART = (ARTIFACT[0], "HelmChart")
SILENT = "127.0.0.1:1"
LAB_HOST = "registry.lab.example:5000"


@dataclass(frozen=True)
class Served:
    """Where the charts lie, and the digest of one."""

    host: str
    digest: str


@pytest.fixture
def served(flux: Flux, own_charts: Path) -> Iterator[Served]:
    """A registry with the charts: a real one, or a name for the lab."""
    registry = Registry()
    push_charts(registry, own_charts)
    digest = digest_of(registry.tags["charts/web"]["1.3.0"])
    if isinstance(flux.cluster, LabWorld):
        yield Served(LAB_HOST, digest)
        return
    with serve_registry(registry) as host:
        yield Served(host, digest)


def break_lab(flux: Flux, name: str, fault: SourceFault) -> None:
    """Make in the lab what the real one's registry does."""
    if isinstance(flux.cluster, LabWorld):
        flux.cluster.break_sources(f"{flux.space}/{name}", fault)


def make(kind: tuple[str, str], name: str, space: str, **spec: Json) -> Object:
    """Make an object of Flux."""
    metadata: Object = {"name": name, "namespace": space}
    full: Object = {"interval": "1h", **spec}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": full}


def has_ended(obj: Object) -> bool:
    """Tell whether an attempt at a source has ended."""
    return is_ready(obj) or condition(obj, "Ready")[0] == "False"


def settle(said: str, flux: Flux, host: str) -> str:
    """Leave out of a text what is another every time."""
    for given, name in ((flux.space, "SPACE"), (host, "HOST"), (SILENT, "HOST")):
        said = said.replace(given, name)
    return re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", said)


STORED = "stored artifact for digest"
PULL, READ = "OCIArtifactPullFailed", "ReadOperationFailed"
UNDIGESTED = "failed to determine artifact digest: "
UNTAGGED = "failed to determine the artifact tag for 'oci://HOST/"
REFUSED = 'Get "{}://HOST/v2/": dial tcp HOST: connect: connection refused'
# Path, ref, more of the spec; reason and message of Ready.
ARTIFACTS: dict[str, tuple[str, Object, Object, tuple[str, str]]] = {
    "tag": ("charts/web", {"tag": "1.2.3"}, {}, ("Succeeded", f"{STORED} '1.2.3@DIGEST'")),
    "semver": (
        "charts/web",
        {"semver": ">=1.0.0 <2.0.0"},
        {},
        ("Succeeded", f"{STORED} '1.3.0@DIGEST'"),
    ),
    "digest": (
        "charts/web",
        {"digest": "", "tag": "1.2.3"},
        {},
        ("Succeeded", f"{STORED} 'DIGEST'"),
    ),
    "copied": (
        "charts/web",
        {"tag": "1.2.3"},
        {"layerSelector": {"mediaType": CHART_LAYER, "operation": "copy"}},
        ("Succeeded", f"{STORED} '1.2.3@DIGEST'"),
    ),
    "layer": (
        "charts/web",
        {"tag": "1.2.3"},
        {"layerSelector": {"mediaType": "x/y"}},
        (
            "OCIArtifactLayerOperationFailed",
            "failed to find layer with media type 'x/y' in artifact",
        ),
    ),
    "latest": (
        "charts/web",
        {},
        {},
        (
            PULL,
            (
                f"{UNDIGESTED}GET http://HOST/v2/charts/web/manifests/latest: "
                "MANIFEST_UNKNOWN: manifest unknown"
            ),
        ),
    ),
    "no-tag": (
        "charts/web",
        {"tag": "9.9.9"},
        {},
        (
            PULL,
            (
                f"{UNDIGESTED}GET http://HOST/v2/charts/web/manifests/9.9.9: "
                "MANIFEST_UNKNOWN: manifest unknown"
            ),
        ),
    ),
    "no-range": (
        "charts/web",
        {"semver": ">=9"},
        {},
        (READ, f"{UNTAGGED}charts/web': no match found for semver: >=9"),
    ),
    "no-name": (
        "charts/none",
        {"semver": "1.x"},
        {},
        (
            READ,
            (
                f"{UNTAGGED}charts/none': GET http://HOST/v2/charts/none/tags/list?n=1000: "
                "NAME_UNKNOWN: repository name not known"
            ),
        ),
    ),
    "denied-tag": (
        "denied/web",
        {"tag": "1.2.3"},
        {},
        (
            PULL,
            (
                f"{UNDIGESTED}GET http://HOST/v2/denied/web/manifests/1.2.3: "
                "UNAUTHORIZED: authentication required"
            ),
        ),
    ),
    "denied-range": (
        "denied/web",
        {"semver": "1.x"},
        {},
        (
            READ,
            (
                f"{UNTAGGED}denied/web': GET http://HOST/v2/denied/web/tags/list?n=1000: "
                "UNAUTHORIZED: authentication required"
            ),
        ),
    ),
    "silent": (
        "charts/web",
        {"tag": "1.2.3"},
        {},
        (PULL, f"{UNDIGESTED}{REFUSED.format('https')}; {REFUSED.format('http')}"),
    ),
    "url": (
        "charts/web:1.2.3",
        {"tag": "1.2.3"},
        {},
        (
            "URLInvalid",
            (
                "URL validation failed for 'oci://HOST/charts/web:1.2.3': repository can only "
                "contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: "
                "charts/web:1.2.3"
            ),
        ),
    ),
    "secret": (
        "charts/web",
        {"tag": "1.2.3"},
        {"secretRef": {"name": "none"}},
        (
            "AuthenticationFailed",
            (
                "failed to get credential: failed to get secret 'SPACE/none': "
                'secrets "none" not found'
            ),
        ),
    ),
}


async def test_artifacts_of_registries(flux: Flux, served: Served) -> None:
    """Tag, range, digest and layer; what is missing, refused, or not answered."""
    break_lab(flux, "denied", SourceFault.OCI_DENIED)
    break_lab(flux, "silent", SourceFault.OCI_ABSENT)
    for name, (path, reference, more, _) in ARTIFACTS.items():
        host = SILENT if name == "silent" and served.host != LAB_HOST else served.host
        asked: Object = {key: value or served.digest for key, value in reference.items()}
        spec: Object = {"url": f"oci://{host}/{path}", "insecure": True, "ref": asked, **more}
        await flux.cluster.apply(make(ARTIFACT, name, flux.space, **spec))
    said: dict[str, tuple[str, str]] = {}
    for name in ARTIFACTS:
        found = await flux.cluster.until(ARTIFACT, name, flux.space, has_ended)
        _, reason, message = condition(found, "Ready")
        said[name] = reason, settle(message, flux, served.host)

    assert {name: wanted for name, (_, _, _, wanted) in ARTIFACTS.items()} == said


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


def is_told_so(obj: Object) -> bool:
    """Tell whether Ready passes on what a registry said."""
    return "MANIFEST_UNKNOWN" in condition(obj, "Ready")[2]


def ended_for(reason: str) -> Callable[[Object], bool]:
    """Tell whether Ready has a reason."""
    return lambda obj: condition(obj, "Ready")[1] == reason


@pytest.mark.usefixtures("helm_tools")
async def test_release_of_an_artifact(flux: Flux, served: Served) -> None:
    """The digest stands behind the version, and in the history; an artifact that fails is told."""
    for name, tag in (("good", "1.2.3"), ("gone", "9.9.9")):
        url = f"oci://{served.host}/charts/web"
        spec: Object = {"url": url, "insecure": True, "ref": {"tag": tag}}
        await flux.cluster.apply(make(ARTIFACT, name, flux.space, **spec))
        reference: Object = {"kind": "OCIRepository", "name": name}
        await flux.cluster.apply(make(HELM_RELEASE, name, flux.space, chartRef=reference))
    done = await flux.cluster.until(HELM_RELEASE, "good", flux.space, is_ready)
    gone = await flux.cluster.until(HELM_RELEASE, "gone", flux.space, is_told_so)
    revision = text(await flux.ask(ARTIFACT, "good"), "status", "artifact", "revision")
    digest = revision.partition("@")[2]
    version = f"1.2.3+{digest.partition(':')[2][:12]}"

    message = f"Helm install succeeded for release {flux.space}/good.v1 with chart web@{version}"
    assert ("True", "InstallSucceeded", message) == condition(done, "Ready")
    [entry] = maps(done, "status", "history")
    assert (version, digest) == (text(entry, "chartVersion"), text(entry, "ociDigest"))
    assert (version, digest) == (
        text(done, "status", "lastAttemptedRevision"),
        text(done, "status", "lastAttemptedRevisionDigest"),
    )
    why = "failed to determine artifact digest: GET http://HOST/v2/charts/web/manifests/9.9.9: "
    assert (
        "False",
        "SourceNotReady",
        f"OCIRepository 'SPACE/gone' is not ready: {why}MANIFEST_UNKNOWN: manifest unknown",
    ) == (*condition(gone, "Ready")[:2], settle(condition(gone, "Ready")[2], flux, served.host))
