"""What the catalogue promises of faults of the repository: each is found, where it was made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from inventory.rules import RULES
from lab.breaking import break_repository, own_copy
from lab.faults import FaultError, find_fault
from lab.faults.repository import REPOSITORY_FAULTS, RepositoryFault
from lab.repository import materialize
from lab.tools import LabTools
from lifecycle.cli.reading import ReadingArguments
from lifecycle.cli.validate import examine
from lifecycle.secrets import Redactor
from tests.lab_faults.conftest import Sound

_APP = "clusters/main/kubernetes/apps/notes/app"
_KS = "clusters/main/kubernetes/apps/notes/ks.yaml"
_TALOS = "clusters/main/talos/talconfig.yaml"

# Where the fault is found in the sample, beside the finding that the catalogue promises.
_PLACES = {
    "resource-absent": f"{_APP}/kustomization.yaml:7:3",
    "merge-conflict": f"{_APP}/kustomization.yaml:2:11",
    "key-twice": f"{_APP}/kustomization.yaml:7:1",
    "kustomization-misshapen": f"{_APP}/kustomization.yaml:8:3",
    "patch-without-place": f"{_APP}/kustomization.yaml:9:3",
    "object-twice": f"{_APP}/lab-twice.yaml:1:1",
    "namespace-owned-twice": "clusters/main/kubernetes/networking/traefik/app/lab-shared.yaml:1:1",
    "folder-without-kustomization": f"{_APP}/kustomization.yaml:7:3",
    "kustomization-loop": "clusters/main/kubernetes/apps/notes/lab-loop/kustomization.yaml:2:5",
    "half-an-object": f"{_APP}/lab-half.yaml:1:1",
    "path-mistyped": f"{_KS}:11:9",
    "variable-undefined": f"{_APP}/lab-variables.yaml:7:10",
    "variable-malformed": f"{_APP}/lab-variables.yaml:7:10",
    "variables-source-mistyped": "clusters/main/kubernetes/flux-entry.yaml:19:9",
    "crs-beside-release": "clusters/main/kubernetes/system/cert-manager/app/lab-early.yaml:1:1",
    "cr-in-entry": "clusters/main/kubernetes/lab-early.yaml:1:1",
    "cr-without-order": f"{_APP}/lab-early.yaml:1:1",
    "provider-not-listed": f"{_APP}/lab-early.yaml:1:1",
    "dependency-mistyped": f"{_KS}:10:5",
    "dependency-loop": f"{_KS}:8:3",
    "cold-start-loop": f"{_APP}/lab-early.yaml:1:1",
    "source-absent": f"{_APP}/helm-release.yaml:13:9",
    "component-not-listed": f"{_APP}/helm-release.yaml:1:1",
    "layer-not-listed": "clusters/main/kubernetes/kustomization.yaml:1:1",
    "namespace-absent": f"{_APP}/notes.secret.yaml:5:16",
    "component-suspended": f"{_KS}:16:12",
    "version-unpinned": f"{_APP}/helm-release.yaml:11:16",
    "values-absent": f"{_APP}/helm-release.yaml:65:5",
    "api-removed": f"{_APP}/lab-old.yaml:1:13",
    "vip-of-node": f"{_TALOS}:22:14",
    "vip-of-pool": "clusters/main/talos/talconfig.yaml:36:11",
    "node-of-pool": f"{_TALOS}:38:14",
    "address-of-two-nodes": f"{_TALOS}:37:3",
    "networks-overlapping": f"{_TALOS}:15:1",
    "control-planes-even": f"{_TALOS}:21:1",
    "disk-unnamed": f"{_TALOS}:37:3",
    "node-variable-undefined": f"{_TALOS}:38:14",
    "versions-unsupported": f"{_TALOS}:3:20",
    "upgrade-too-far": f"{_APP}/lab-upgrade.yaml:1:1",
    "versions-drifted": f"{_TALOS}:2:1",
    "two-upgrade-controllers": f"{_APP}/lab-upgrade.yaml:1:1",
    "secret-in-clear": f"{_APP}/notes.secret.yaml:8:19",
    "secret-of-stranger": f"{_APP}/notes.secret.yaml:10:9",
    "decryption-forgotten": f"{_KS}:7:3",
    "key-changed": "clusters/main/clusterenv.yaml:19:9",
    "secret-without-rule": f"{_APP}/lab-claim.yaml:7:10",
    "load-balancer-twice": f"{_APP}/lab-back.yaml:9:3",
    "load-balancer-outside": f"{_APP}/lab-front.yaml:9:3",
    "load-balancer-differs": f"{_APP}/lab-front.yaml:9:3",
    "registry-dead": f"{_APP}/lab-old-image.yaml:17:16",
}
_DECRYPTING = frozenset({"secret-of-stranger", "secret-damaged"})


@pytest.mark.parametrize(
    "fault",
    [one for one in REPOSITORY_FAULTS if one.name not in _DECRYPTING],
    ids=lambda fault: fault.name,
)
def test_fault_is_found_where_it_was_made(
    sound: Sound, tmp_path: Path, fault: RepositoryFault
) -> None:
    """`validate` says what the catalogue promises, with the place, and did not say so before."""
    (promised,) = (answer.name for answer in fault.answers)
    found = sound.find_new(sound.break_copy(fault, tmp_path))

    assert (promised, _PLACES[fault.name]) in {(one.id, str(one.position)) for one in found}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("secret-of-stranger", {"key-does-not-fit": "10:5", "foreign-recipient": "11:9"}),
        ("secret-damaged", {"file-does-not-decrypt": "10:5"}),
    ],
)
def test_fault_of_decryption_is_found(
    sound: Sound, tmp_path: Path, name: str, wanted: dict[str, str]
) -> None:
    """With the age key at hand, `validate` tries it: on what a stranger encrypted, on damage."""
    fault = find_fault(name)
    assert isinstance(fault, RepositoryFault)
    copy = sound.break_copy(fault, tmp_path)
    arguments = ReadingArguments(repo=str(copy), age_key=str(sound.made.age_key_file))
    verdict = examine(arguments, os.environ, Redactor())
    found = {(one.id, str(one.position)) for one in verdict.judged.open}
    promised = {answer.name for answer in fault.answers if answer.kind == "finding"}

    assert promised == set(wanted)
    assert {(one, f"{_APP}/notes.secret.yaml:{line}") for one, line in wanted.items()} <= found


def test_every_answer_is_a_finding_that_there_is() -> None:
    """No fault promises a finding that nobody can make."""
    promised = {
        answer.name
        for one in REPOSITORY_FAULTS
        for answer in one.answers
        if answer.kind == "finding"
    }

    assert promised <= set(RULES)


def test_own_repository_is_broken_in_a_copy(sound: Sound, tmp_path: Path) -> None:
    """Of a user's Git work tree a clone is broken and pushed; the tree stays as it is."""
    before = {path: path.read_bytes() for path in sound.made.path.rglob("*") if path.is_file()}
    mirrored = materialize(sound.made.path, tmp_path, LabTools())
    fault = find_fault("vip-of-node")
    assert isinstance(fault, RepositoryFault)
    copy = own_copy(mirrored, tmp_path, sound.tools)
    tools = sound.tools.with_env(mirrored.env)
    broken = break_repository(copy, "main", [fault], tools, sound.decrypted)
    served = tools.run("git", "ls-remote", "origin", "HEAD", cwd=broken.path).split()[0]

    assert before == {
        path: path.read_bytes() for path in sound.made.path.rglob("*") if path.is_file()
    }
    assert tmp_path in broken.path.parents
    assert sound.made.commit != broken.commit == served


def test_fault_without_a_place_is_refused(sound: Sound, tmp_path: Path) -> None:
    """Where a repository has nothing to strike, that is said, and why."""
    copy = tmp_path / "copy"
    shutil.copytree(sound.made.path, copy, symlinks=True)
    (copy / _TALOS).unlink()
    fault = find_fault("vip-of-node")
    assert isinstance(fault, RepositoryFault)
    made = materialize(sound.made.path, tmp_path / "lab", LabTools())
    with pytest.raises(FaultError) as caught:
        break_repository(
            own_copy(made, tmp_path / "lab", sound.tools), "main", [fault], sound.tools, {}
        )

    assert "does not apply to this repository: `vip-of-node`" in str(caught.value)
    assert "hint: leave out --fault vip-of-node" in caught.value.__notes__
