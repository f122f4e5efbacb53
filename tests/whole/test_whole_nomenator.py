"""A real repository of a real owner, known fault and all, in the lab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from lifecycle.drivers.documents import JsonObject, list_at, number_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject
from tests.refusals.refusals_lab import ROOT, Said, digest
from tests.whole.whole_life import Rehearsal, find_steps, read_one_document

_DATA = ROOT.parent / "shared" / "data"
_TREE = _DATA / "repos" / "nomenator"
# The HelmRelease `tuppr` names an OCIRepository that the tree does not hold.
_FAULT = "clusters/main/kubernetes/system/system-upgrade/tuppr/app/helm-release.yaml:11:5"
_CONTROL_PLANES = ("k8s-control-1", "k8s-control-2", "k8s-control-3")
_UPGRADERS = {"system-upgrade-controller-plans", "tuppr-plans"}


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, what the lab counted, and what its API holds at the end."""

    refused: Said
    acts_of_refused: Mapping[str, int]
    finished: Said
    acts: Mapping[str, int]
    releases: Sequence[JsonObject]
    kustomizations: Mapping[str, KubernetesObject]
    plans: Sequence[JsonObject]
    plan_after: Said


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tale]:
    """Bootstrap without and with the fault accepted."""
    if not _TREE.is_dir():
        pytest.skip("needs ../shared/data/repos/nomenator")
    rehearsal = Rehearsal.begin(
        tmp_path_factory.mktemp("nomenator"),
        ("--repo", str(_TREE)),
        ("--charts", str(_DATA / "charts")),
    )
    try:
        yield tell(rehearsal)
    finally:
        rehearsal.stop()


def tell(rehearsal: Rehearsal) -> Tale:
    """Be refused, accept what is broken, finish, and look at the cluster with kubectl."""
    refused = rehearsal.run("bootstrap", "--json")
    acts_of_refused = rehearsal.acts()
    finished = rehearsal.run("bootstrap", "--json", "--accept", "tuppr")
    kustomizations = rehearsal.list_objects("kustomizations.kustomize.toolkit.fluxcd.io")
    return Tale(
        refused=refused,
        acts_of_refused=acts_of_refused,
        finished=finished,
        acts=rehearsal.acts(),
        releases=rehearsal.list_objects("helmreleases.helm.toolkit.fluxcd.io"),
        kustomizations={
            text_at(k, "metadata", "name"): KubernetesObject(k) for k in kustomizations
        },
        plans=rehearsal.list_objects("plans.upgrade.cattle.io"),
        plan_after=rehearsal.run("plan", "--json", "--accept", "tuppr"),
    )


def test_known_fault_is_named_before_any_change(tale: Tale) -> None:
    """The release without its source is named at its place, and nothing has happened."""
    (failure,) = list_at(read_one_document(tale.refused), "failures")

    assert 4 == tale.refused.code
    assert f"{_FAULT}: source of HelmRelease `tuppr` does not exist" in text_at(failure, "message")
    assert "`OCIRepository/flux-system/tuppr`" in text_at(failure, "message")
    assert "--accept tuppr" in text_at(failure, "hint")
    assert {} == tale.acts_of_refused


def test_everything_else_becomes_ready(tale: Tale) -> None:
    """With the fault accepted the run finishes; a plan has nothing left to do."""
    assert 0 == tale.finished.code, tale.finished.stderr
    assert {"done"} == {text_at(step, "state") for step in find_steps(tale.finished).values()}
    assert 0 == tale.plan_after.code
    assert 0 == number_at(read_one_document(tale.plan_after), "to_do")


def test_every_release_but_the_accepted_is_ready(tale: Tale) -> None:
    """The API itself says so."""
    ready = {
        text_at(item, "metadata", "name"): KubernetesObject(item).has_condition("Ready")
        for item in tale.releases
    }

    assert 31 == len(ready)
    assert {"tuppr"} == {name for name, is_ready in ready.items() if not is_ready}


def test_control_planes_join_etcd_once(tale: Tale) -> None:
    """One control plane begins, the others join; each once, as everything that happens once."""
    seen = find_steps(tale.finished)["etcd-is-healthy"]

    assert "3 of 3 members" == text_at(seen, "seen")
    assert ["k8s-control-2", "k8s-control-3"] == sorted(
        name.removeprefix("etcd.join/") for name in tale.acts if name.startswith("etcd.join/")
    )
    assert {f"machine.apply/{name}" for name in _CONTROL_PLANES} < set(tale.acts)
    assert dict.fromkeys(tale.acts, 1) == tale.acts


def test_upgrades_were_held_until_the_end(tale: Tale) -> None:
    """No Plan came into being before Flux' entries were ready; then they were let go."""
    held = find_steps(tale.finished)["release-held"]
    entry = tale.kustomizations["flux-entry"].condition("Ready")
    begun = {text_at(plan, "metadata", "creationTimestamp") for plan in tale.plans}

    assert held["changed"] is True
    assert {False} == {_is_suspended(tale.kustomizations[name]) for name in _UPGRADERS}
    assert entry is not None
    assert begun
    assert min(begun) >= entry.last_transition


def test_shared_tree_is_not_written(tale: Tale) -> None:
    """The tree that was rehearsed is no Git repository, and does not become one."""
    assert 0 == tale.finished.code
    assert not any(name.startswith(".git/") for name in digest(_TREE))


def _is_suspended(kustomization: KubernetesObject) -> bool:
    return kustomization.spec.get("suspend") is True
