"""One suite for two Fluxes, the lab's and real controllers: artifacts that lie in registries."""

from __future__ import annotations

import pytest

from lab.flux.faults import SourceFault
from lab.kubernetes.values import Object, maps, text
from tests.lab_flux.flux_contract import Flux
from tests.lab_flux.flux_oci import (
    ARTIFACT,
    LAB_HOST,
    SILENT,
    Served,
    break_lab,
    make,
    settle,
)
from tests.lab_flux.flux_registry import CHART_LAYER
from tests.lab_flux.flux_world import HELM_RELEASE, condition, is_ready


def has_ended(obj: Object) -> bool:
    """Tell whether an attempt at a source has ended."""
    return is_ready(obj) or condition(obj, "Ready")[0] == "False"


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


def is_told_so(obj: Object) -> bool:
    """Tell whether Ready passes on what a registry said."""
    return "MANIFEST_UNKNOWN" in condition(obj, "Ready")[2]


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
