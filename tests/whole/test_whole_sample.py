"""The sample from bare machines to its last application, as its user sees it.

One rehearsal is told from its beginning to its end; each test looks at one part of the tale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import pytest

from lifecycle.drivers.documents import number_at, text_at
from tests.refusals.refusals_lab import Said
from tests.whole.whole_life import Rehearsal, find_steps, read_one_document

# Tab and line feed are the only control characters that belong into a file or a pipe.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, in this order, and what the lab counted in between."""

    status_before: Said
    plan_before: Said
    killed: Said
    status_of_killed: Said
    status_for_people: Said
    finished: Said
    acts: Mapping[str, int]
    status_of_finished: Said
    plan_after: Said
    again: Said
    acts_again: Mapping[str, int]
    modes: Sequence[tuple[str, int]]
    elsewhere: Said
    acts_elsewhere: Mapping[str, int]
    plan_elsewhere: Said

    @property
    def said(self) -> Mapping[str, Said]:
        """Everything that was said, by its place in the tale."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Said)}


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tale]:
    """Live through it once."""
    rehearsal = Rehearsal.begin(tmp_path_factory.mktemp("whole"))
    try:
        yield tell(rehearsal)
    finally:
        rehearsal.stop()


def tell(rehearsal: Rehearsal) -> Tale:
    """Plan, kill, go on, plan again, run again, lose the laptop, run again."""
    status_before = rehearsal.run("status", "--json")
    plan_before = rehearsal.run("plan", "--json")
    killed = rehearsal.kill_at("step.started", "apply-layer/kube-system")
    status_of_killed = rehearsal.run("status", "--json")
    status_for_people = rehearsal.run("status")
    finished = rehearsal.run("bootstrap", "--json")
    acts = rehearsal.acts()
    status_of_finished = rehearsal.run("status", "--json")
    plan_after = rehearsal.run("plan", "--json")
    again = rehearsal.run("bootstrap")
    acts_again = rehearsal.acts()
    modes = [(str(path), path.stat().st_mode & 0o777) for path in rehearsal.list_own_files()]
    rehearsal.move_to_another_laptop()
    elsewhere = rehearsal.run("bootstrap", "--json")
    return Tale(
        status_before=status_before,
        plan_before=plan_before,
        killed=killed,
        status_of_killed=status_of_killed,
        status_for_people=status_for_people,
        finished=finished,
        acts=acts,
        status_of_finished=status_of_finished,
        plan_after=plan_after,
        again=again,
        acts_again=acts_again,
        modes=modes,
        elsewhere=elsewhere,
        acts_elsewhere=rehearsal.acts(),
        plan_elsewhere=rehearsal.run("plan"),
    )


def test_status_before_any_run(tale: Tale) -> None:
    """Without a run there is nothing to show, and the way to begin is told."""
    error = read_one_document(tale.status_before)["error"]

    assert 2 == tale.status_before.code
    assert "there was no run yet" in str(error)
    assert "invoke bootstrap --lab" in str(error)


def test_plan_of_a_fresh_lab(tale: Tale) -> None:
    """Something is to do, and a script can tell; the plan changes nothing."""
    document = read_one_document(tale.plan_before)

    assert 10 == tale.plan_before.code
    assert number_at(document, "to_do") > 0
    assert "bootstrap" == text_at(document, "kind")


def test_status_of_a_killed_run(tale: Tale) -> None:
    """A killed run is told from one that goes on, and each step's state is shown."""
    steps = find_steps(tale.status_of_killed)

    assert -9 == tale.killed.code
    assert "killed" == text_at(read_one_document(tale.status_of_killed), "state")
    assert "done" == text_at(steps["bootstrap-etcd"], "state")
    assert "running" == text_at(steps["apply-layer/kube-system"], "state")
    assert "pending" == text_at(steps["hand-over"], "state")


def test_status_of_a_killed_run_for_people(tale: Tale) -> None:
    """The table says that the run was killed, and names the step in which it was cut off."""
    assert 0 == tale.status_for_people.code
    assert "killed" in tale.status_for_people.stdout
    assert re.search(r"cut off.*Apply layer kube-system", tale.status_for_people.stdout)


def test_run_is_gone_on_with(tale: Tale) -> None:
    """The next run resumes the killed one, and everything once-only happened once."""
    document = read_one_document(tale.finished)

    assert 0 == tale.finished.code, tale.finished.stderr
    assert ("finished", 1) == (text_at(document, "state"), number_at(document, "resumed"))
    assert {"done"} == {text_at(step, "state") for step in find_steps(tale.finished).values()}
    assert dict.fromkeys(tale.acts, 1) == tale.acts
    assert {"etcd.bootstrap", "helm.install/notes/notes"} <= set(tale.acts)


def test_status_of_a_finished_run(tale: Tale) -> None:
    """Every step and gate of the plan is shown as done, with what was seen last."""
    steps = find_steps(tale.status_of_finished)

    assert "finished" == text_at(read_one_document(tale.status_of_finished), "state")
    assert set(find_steps(tale.finished)) == set(steps)
    assert {"done"} == {text_at(step, "state") for step in steps.values()}
    assert all(text_at(step, "seen") for step in steps.values())


def test_plan_of_a_finished_cluster(tale: Tale) -> None:
    """Nothing is left to do."""
    assert 0 == tale.plan_after.code, tale.plan_after.stdout
    assert 0 == number_at(read_one_document(tale.plan_after), "to_do")


def test_second_run_changes_nothing(tale: Tale) -> None:
    """Every probe is satisfied, no act is repeated."""
    assert 0 == tale.again.code, tale.again.stderr
    assert tale.acts == tale.acts_again


def test_other_laptop_converges(tale: Tale) -> None:
    """Without journal and credentials a run finds the cluster as it is, and makes only new ones."""
    steps = find_steps(tale.elsewhere)
    changed = {name for name, step in steps.items() if step["changed"]}

    assert 0 == tale.elsewhere.code, tale.elsewhere.stderr
    assert {"generate-machine-configs", "fetch-kubeconfig"} == changed
    assert tale.acts == tale.acts_elsewhere
    assert 0 == tale.plan_elsewhere.code


def test_files_are_the_owners_only(tale: Tale) -> None:
    """Everything below the state folder is 0600, folders 0700: some of it is credentials."""
    assert {0o600, 0o700} == {mode for _, mode in tale.modes}
    assert {"journal.db", "kubeconfig", "talosconfig"} <= {
        path.rpartition("/")[2] for path, mode in tale.modes if mode == 0o600
    }


def test_no_control_characters_without_a_terminal(tale: Tale) -> None:
    """What is said into a pipe is plain text: no colours, no cursor, no progress that redraws."""
    dirty = {name for name, said in tale.said.items() if _CONTROL.search(said.output)}

    assert set() == dirty


def test_people_are_told_on_stderr(tale: Tale) -> None:
    """With --json everything for people is on stderr, which tells of the progress as lines."""
    assert re.search(r"^\[ +\d+:\d\d\] done +Hand over", tale.finished.stderr, re.MULTILINE)
    assert "log: " in tale.finished.stderr
