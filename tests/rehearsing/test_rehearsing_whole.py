"""A rehearsal as its user begins it, in the lab: with a kill and faults, and once more."""

from __future__ import annotations

import json
from pathlib import Path

from tests.refusals.refusals_lab import Place

SPEED = "100"


def test_sample_holds_when_killed_and_struck(tmp_path: Path) -> None:
    """Plain, killed at a step, with a machine without disk, and with a broken repository.

    What was shown is not shown again by the next rehearsal of the same commit.
    """
    place = Place(tmp_path)
    words = ("--only", "plain,kills,faults", "--moments", "end", "--kills", "1", "--speed", SPEED)
    faults = ("--fault", "no-disk", "--fault", "vip-of-node")
    said = place.run("rehearse", *words, *faults, "--json")
    again = place.run("rehearse", *words, *faults)
    trials = {one["name"]: one for one in json.loads(said.stdout)["trials"]}

    assert (0, 0) == (said.code, again.code), said.stderr + again.stderr
    assert {"plain": 2, "vip-of-node": 0, "kills-end-1": 2, "no-disk": 2} == {
        name: one["runs"] for name, one in trials.items()
    }
    assert {"held"} == {one["result"] for one in trials.values()}
    assert "the second run changed 0" in trials["plain"]["seen"]
    assert "killed at 1 of 1" in trials["kills-end-1"]["seen"]
    assert "machine-is-known/sample-worker-1: no disk of" in trials["no-disk"]["seen"]
    assert "(vip-is-node; a bootstrap is refused)" in trials["vip-of-node"]["seen"]
    assert "bootstrapping" not in again.stderr
    assert not [*tmp_path.glob("state/talos-lifecycle/rehearsals/*/trial")]
