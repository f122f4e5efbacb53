"""Three more real repositories of real owners, from machines in maintenance mode to the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lifecycle.drivers.documents import list_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject
from tests.refusals.refusals_lab import ROOT, Said
from tests.whole.whole_life import Rehearsal, find_steps, read_one_document

_DATA = ROOT.parent / "shared" / "data"
_KUBERNETES = "clusters/main/kubernetes"
# A hundred releases keep a small machine busy for long: at sixty times speed their Deployments'
# ten minutes would be over meanwhile.
_SPEED = "30"


@dataclass(frozen=True, slots=True)
class Case:
    """A repository, what its owner must repair before it can come up, and its size.

    `edits` are by file: what is replaced once by what; an empty old text appends.
    """

    name: str
    components: int
    edits: Mapping[str, tuple[str, str]] = field(default_factory=dict)


CASES = (
    # Traefik renders only where Prometheus' kinds are served; intel-device-plugins in kube-system
    # waits for a certificate that cert-manager of a later layer makes.
    Case("zachbomb", 106),
    # One node cannot hold Cilium's two operators, which may not share one; a layer is not listed.
    Case(
        "abmania",
        42,
        {
            "clusters/main/clusterenv.yaml": ("", "\nHEADLAMP_IP: 10.43.0.132\n"),
            f"{_KUBERNETES}/kustomization.yaml": ("resources:\n", "resources:\n  - system\n"),
            f"{_KUBERNETES}/kube-system/cilium/app/helm-release.yaml": (
                "    operator:\n",
                "    operator:\n      replicas: 1\n",
            ),
        },
    ),
    # Its sources come with its components; its addresses were made anonymous, the pool's not.
    Case(
        "maverick",
        50,
        {
            "clusters/main/clusterenv.yaml": (
                "",
                "\nHEADLAMP_IP: 10.44.0.199\nGFAUTHTURL: https://auth.lab.example\n",
            ),
            f"{_KUBERNETES}/flux-system/flux/clustersettings.secret.yaml": (
                "",
                "    GFAUTHTURL: https://auth.lab.example\n",
            ),
            f"{_KUBERNETES}/kube-system/cilium/app/networking.yaml": (
                "- cidr: 10.44.20.0/24",
                "- cidr: 10.44.0.128/25",
            ),
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, and what the lab's API holds at the end."""

    case: Case
    finished: Said
    kustomizations: Mapping[str, KubernetesObject]
    releases: Mapping[str, KubernetesObject]
    plan_after: Said


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def tale(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tale]:
    """Bootstrap the repository, repaired where its owner would have to."""
    case: Case = request.param
    tree = _DATA / "repos" / case.name
    if not tree.is_dir():
        pytest.skip(f"needs ../shared/data/repos/{case.name}")
    folder = tmp_path_factory.mktemp(case.name)
    repaired = repair(tree, folder / "repository", case.edits)
    rehearsal = Rehearsal.begin(
        folder / "place",
        ("--repo", str(repaired)),
        ("--charts", str(_DATA / "charts")),
        speed=_SPEED,
    )
    try:
        yield tell(rehearsal, case)
    finally:
        rehearsal.stop()


def repair(tree: Path, copy: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    """Copy a tree and edit it."""
    shutil.copytree(tree, copy)
    for path, (old, new) in edits.items():
        text = (copy / path).read_text()
        assert old in text, f"{path} holds no `{old}`"
        (copy / path).write_text(text.replace(old, new, 1) if old else text + new)
    return copy


def tell(rehearsal: Rehearsal, case: Case) -> Tale:
    """Bootstrap, look at the cluster with kubectl, and ask what is left to do."""
    finished = rehearsal.run("bootstrap", "--json")
    assert 0 == finished.code, finished.stderr
    return Tale(
        case=case,
        finished=finished,
        kustomizations=_by_name(rehearsal, "kustomizations.kustomize.toolkit.fluxcd.io"),
        releases=_by_name(rehearsal, "helmreleases.helm.toolkit.fluxcd.io"),
        plan_after=rehearsal.run("plan", "--json"),
    )


def test_repository_comes_up(tale: Tale) -> None:
    """Every step is done, every component ready; a plan has nothing left to do."""
    steps = find_steps(tale.finished)
    assert {"done"} == {text_at(step, "state") for step in steps.values()}
    assert f"{tale.case.components} components ready" in text_at(
        steps["cluster-is-healthy"], "seen"
    )
    nodes = list_at(read_one_document(tale.plan_after), "nodes")
    assert [] == [node for node in nodes if text_at(node, "answer") != "satisfied"]
    assert 0 == tale.plan_after.code


def test_api_says_so_itself(tale: Tale) -> None:
    """Each Kustomization and each HelmRelease is Ready, but what its owner has suspended."""
    found = {**tale.kustomizations, **tale.releases}

    assert tale.kustomizations
    assert tale.releases
    late = [name for name, obj in found.items() if not obj.has_condition("Ready")]
    assert [] == [name for name in late if found[name].spec.get("suspend") is not True]


def _by_name(rehearsal: Rehearsal, kind: str) -> Mapping[str, KubernetesObject]:
    """Return the objects of a kind by kind, namespace and name."""
    return {
        f"{kind}/{text_at(item, 'metadata', 'namespace')}/{text_at(item, 'metadata', 'name')}": (
            KubernetesObject(item)
        )
        for item in rehearsal.list_objects(kind)
    }
