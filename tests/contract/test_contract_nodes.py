"""What holds for every step and gate alike: the promise of a run that may be killed and repeated.

Each is probed on a fresh system, acts and is verified, acts once more, and is met again by a
second run. That a kill between act and checkpoint is survived shows in the crash matrix, which
is asked here whether it leaves anybody out.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lifecycle.drivers.documents import Json, JsonObject, as_object, list_at, object_at, text_at
from lifecycle.engine import Needed, Satisfied
from tests.contract.contract_cases import GATES, NEVER_NEEDED, NODES, STEPS, TRUE_ON_A_FRESH_SYSTEM
from tests.contract.contract_life import Story
from tests.crash import test_crash_matrix as matrix

NAMES = [name for _, name in NODES]
# What must never happen twice, by the beginning of its name in the lab's ledger.
ONCE_ONLY = ("etcd.bootstrap", "kubernetes.create", "machine.", "rpc.", "helm.install/")


@pytest.mark.parametrize("name", NAMES)
def test_probe_of_a_fresh_system(story: Story, name: str) -> None:
    """A probe changes nothing, and does not take bare machines for a cluster."""
    account = story.accounts[name]

    assert [] == account.changed_by_probe
    assert (name in TRUE_ON_A_FRESH_SYSTEM) is isinstance(account.fresh, Satisfied)


@pytest.mark.parametrize("name", STEPS)
def test_step_acts_and_is_verified(story: Story, name: str) -> None:
    """A step acts because its probe says that it is needed, and is done when its probe sees it."""
    account = story.accounts[name]

    assert (name in NEVER_NEEDED) is (account.answer_before is None)
    assert isinstance(account.answer_before, Needed | None)
    assert isinstance(account.answers[-1], Satisfied)


@pytest.mark.parametrize("name", GATES)
def test_gate_passes_without_changing_anything(story: Story, name: str) -> None:
    """A gate becomes true; what it sends to the API is a dry run and leaves no object."""
    account = story.accounts[name]

    assert isinstance(account.answers[-1], Satisfied)
    assert all(not found for found in account.settled.values())


@pytest.mark.parametrize("name", STEPS)
def test_act_that_is_repeated_changes_nothing(story: Story, name: str) -> None:
    """The same act again, as after a lost answer, is refused or leaves everything as it is."""
    account = story.accounts[name]

    assert [] == _find_changed(account.after_first, account.after_repeat)
    assert bool(account.refusal) is name.startswith(("apply-machine-config/", "bootstrap-etcd"))


@pytest.mark.parametrize("name", NAMES)
def test_second_run_changes_nothing(story: Story, name: str) -> None:
    """A second run probes once, is satisfied, and touches no object that the first one made."""
    account = story.accounts[name]

    assert [Satisfied] == [type(answer) for answer in account.answers_again]
    assert 0 == account.acts_again
    assert [] == _find_changed(account.settled, account.settled_again)


@pytest.mark.parametrize("name", NAMES)
def test_killed_between_act_and_checkpoint(name: str) -> None:
    """The crash matrix kills a run at every step and gate, before, in and after its act."""
    moments = find_moments(matrix.test_killed_at_every_step_and_run_again)

    assert {"enter", "begin", "middle", "end"} == moments
    assert (name in NEVER_NEEDED) is (name in matrix._NEVER_NEEDED)


def test_once_only_acts(story: Story) -> None:
    """Two runs, and every act tried twice: what must happen once has happened once."""
    once = {act: n for act, n in story.acts_second.items() if act.startswith(ONCE_ONLY)}

    assert dict.fromkeys(once, 1) == once
    assert {act: n for act, n in story.acts_first.items() if act.startswith(ONCE_ONLY)} == once
    assert once["etcd.bootstrap"] == 1


def find_moments(test: object) -> set[str]:
    """Return the moments that the crash matrix is parametrized with."""
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    return {moment for mark in marks if mark.args[0] == "moment" for moment in mark.args[1]}


def _find_changed(before: Mapping[str, JsonObject], after: Mapping[str, JsonObject]) -> list[str]:
    """Name the objects in which a run changed something.

    Where no controller writes, that is any change, of the resourceVersion too; else one of the
    content, or of what the API server notes of our field manager: the time of its last change.
    """
    assert set(before) == set(after)
    return [path for path in before if _is_changed(before[path], after[path])]


def _is_changed(before: JsonObject, after: JsonObject) -> bool:
    is_of_flux = ".toolkit.fluxcd.io/" in text_at(before, "apiVersion")
    if is_of_flux or "status" in before or "status" in after:
        return _own_part(before) != _own_part(after)
    return before != after


def _own_part(found: JsonObject) -> Json:
    entries = (as_object(entry) for entry in list_at(found, "metadata", "managedFields"))
    return [
        object_at(found, "spec"),
        object_at(found, "metadata", "labels"),
        [entry for entry in entries if text_at(entry, "manager") == "talos-lifecycle"],
    ]
