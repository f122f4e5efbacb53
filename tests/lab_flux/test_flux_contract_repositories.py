"""One suite for two Fluxes, the lab's and real controllers: Helm repositories that fail.

The lab serves no index: its faults stand for what the server of the real one answers.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.flux.faults import SourceFault
from lab.kubernetes.values import Object
from tests.lab_flux.flux_contract import Flux, LabWorld
from tests.lab_flux.flux_world import HELM_RELEASE, condition

REPOSITORY = ("source.toolkit.fluxcd.io/v1", "HelmRepository")
CHART = (REPOSITORY[0], "HelmChart")
FETCHED = (
    "failed to fetch Helm repository index: failed to cache index to temporary file: "
    "failed to fetch URL/index.yaml : "
)
UNREAD = (
    "failed to load Helm repository from index YAML: failed to load index: error converting YAML "
    "to JSON: yaml: line 2: mapping values are not allowed in this context"
)
CASES = [
    (SourceFault.INDEX_BROKEN, "noyaml", "IndexationFailed", UNREAD),
    (SourceFault.INDEX_ABSENT, "none", "Failed", f"{FETCHED}404"),
    (SourceFault.INDEX_DENIED, "denied", "Failed", f"{FETCHED}401 Unauthorized"),
]


@pytest.mark.parametrize(("fault", "folder", "reason", "words"), CASES, ids=str)
async def test_index_that_cannot_be_had(
    flux: Flux, fault: SourceFault, folder: str, reason: str, words: str
) -> None:
    """The repository says why, its charts that there is none, the release what the chart says."""
    url = f"{flux.charts_url}/{folder}"
    if isinstance(flux.cluster, LabWorld):
        flux.cluster.break_sources(f"{flux.space}/", fault)
    reference: Object = {"kind": "HelmRepository", "name": "charts"}
    chart: Object = {"spec": {"chart": "web", "version": "1.2.3", "sourceRef": reference}}
    await flux.cluster.apply(
        {
            "apiVersion": REPOSITORY[0],
            "kind": REPOSITORY[1],
            "metadata": {"name": "charts", "namespace": flux.space},
            "spec": {"interval": "1h", "url": url},
        },
        {
            "apiVersion": HELM_RELEASE[0],
            "kind": HELM_RELEASE[1],
            "metadata": {"name": "web", "namespace": flux.space},
            "spec": {"interval": "1h", "chart": chart},
        },
    )

    said = [
        condition(await flux.cluster.until(kind, name, flux.space, failed_for(why)), "Ready")
        for kind, name, why in (
            (REPOSITORY, "charts", reason),
            (CHART, f"{flux.space}-web", "NoSourceArtifact"),
            (HELM_RELEASE, "web", "SourceNotReady"),
        )
    ]
    missing = "no artifact available for HelmRepository source 'charts'"
    assert said[0][2].replace(url, "URL").startswith(words)
    assert ("False", "NoSourceArtifact", missing) == said[1]
    assert "False" == said[2][0]
    assert said[2][2].startswith(f"HelmChart '{flux.space}/{flux.space}-web' is not ready: ")


def failed_for(reason: str) -> Callable[[Object], bool]:
    """Tell whether Ready is False for a reason."""
    return lambda obj: condition(obj, "Ready")[:2] == ("False", reason)
