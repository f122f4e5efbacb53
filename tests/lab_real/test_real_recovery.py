"""Three real members of etcd that are cut off, and of which two are lost, saved by talosctl.

The real talosctl is driven where one is on PATH, else the stand-in. One cluster lives through it
once; each test looks at one part of the tale.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.real import find_programs
from tests.lab_kubernetes.real_apiserver import VARIABLE, explain_missing
from tests.lab_real.recovery_life import Tale, tell
from tests.talos_rows.talos_rows_tool import Result, find_columns

pytestmark = pytest.mark.tools

_MEMBERS = {"cp1", "cp2", "cp3"}


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Tale:
    """Live through it once."""
    if reason := explain_missing():
        pytest.skip(reason)
    programs = find_programs(Path(os.environ[VARIABLE]))
    return asyncio.run(tell(programs, tmp_path_factory.mktemp("recovery")))


def _read_ids(members: Result) -> Mapping[str, str]:
    return {row[0]: row[1] for row in find_columns(members, "HOSTNAME", "ID")}


def test_every_command_is_taken(tale: Tale) -> None:
    """Bootstrap, snapshot, resets and the recovery end well, and say what they do."""
    wanted = ("bootstrap", "saved", "lost", "emptied", "recovered")

    assert dict.fromkeys(wanted, 0) == {name: tale.said[name].code for name in wanted}
    assert tale.said["recovered"].stdout.startswith("recovering from snapshot ")
    # The same hash, revision and size as when it was saved.
    described = tale.said["saved"].stdout.partition("snapshot info: ")[2]
    assert tale.said["recovered"].stdout.endswith(described)


def test_leadership_is_handed_on(tale: Tale) -> None:
    """Who leads names its heir, the first other member; the real members agree."""
    before, after = (
        set(find_columns(tale.said[moment], "LEADER")) for moment in ("leading", "led")
    )
    ids = _read_ids(tale.said["members"])
    ((leader,),), ((heir,),) = before, after

    assert 0 == tale.said["forfeited"].code, tale.said["forfeited"].stderr
    assert leader != heir
    assert heir == next(member for member in ids.values() if member != leader)


def test_members_hear_nobody_behind_a_line(tale: Tale) -> None:
    """With one line of three cut etcd goes on, with two it does not, and it is there again."""
    with_one, with_two, after = tale.unheard

    assert ("ok", "ok") == (with_one, after)
    assert "[-]etcd failed: reason withheld" in with_two


def test_quorum_is_lost(tale: Tale) -> None:
    """The member that is left names no leader, and the API server is not ready for want of etcd."""
    (status,) = find_columns(tale.said["status"], "LEADER", "ERRORS")

    assert ("0000000000000000", "etcdserver: no leader") == status
    assert "[-]etcd failed: reason withheld" in tale.ready


def test_emptied_machines_wait(tale: Tale) -> None:
    """Wiped as well, the last machine does not begin a cluster by itself."""
    assert ["STATE", "Preparing"] in tale.said["waiting"].rows


def test_others_join_anew(tale: Tale) -> None:
    """Three voters follow one leader, under ids that no member of the lost cluster has."""
    before, after = _read_ids(tale.said["members"]), _read_ids(tale.said["members again"])
    learners = find_columns(tale.said["members again"], "LEARNER")
    leaders = set(find_columns(tale.said["status again"], "LEADER"))

    assert _MEMBERS == {*before} == {*after}
    assert not {*before.values()} & {*after.values()}
    assert [("false",)] * 3 == list(learners)
    assert 1 == len(leaders)
    assert leaders < {(member,) for member in after.values()}


def test_data_is_that_of_the_snapshot(tale: Tale) -> None:
    """What was written after it is gone; nodes are Ready, and Talos finds its cluster healthy."""
    assert {"before": True, "after": False} == tale.kept
    assert sorted(_MEMBERS) == tale.nodes
    assert 0 == tale.said["health"].code, tale.said["health"].stderr


def test_a_cluster_is_begun_twice_at_all(tale: Tale) -> None:
    """Once by the bootstrap and once by the recovery; four members have joined."""
    joins = sum(count for act, count in tale.acts.items() if act.startswith("etcd.join/"))

    assert (1, 1, 4) == (tale.acts["etcd.bootstrap"], tale.acts["etcd.recover"], joins)
