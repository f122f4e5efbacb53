"""A rehearsal as its user begins it, in the lab: with a kill and faults."""

from __future__ import annotations

import json
from pathlib import Path

from tests.refusals.refusals_lab import Place

SPEED = "200"


def test_sample_holds_when_killed_and_struck(tmp_path: Path) -> None:
    """Plain, killed at a step, with a machine without disk, and with a broken repository.

    The broken one is validated, and a bootstrap of it is refused before any change.
    """
    place = Place(tmp_path)
    words = (
        "--only",
        "plain,kills,faults,broken",
        "--moments",
        "end",
        "--kills",
        "1",
        "--speed",
        SPEED,
    )
    faults = ("--fault", "no-disk", "--fault", "vip-of-node")
    said = place.run("rehearse", *words, *faults, "--json")
    listed = json.loads(said.stdout)["trials"]
    broken = [one for one in listed if one["part"] == "broken"]
    trials = {one["name"]: one for one in listed if one["part"] != "broken"}

    assert 0 == said.code, said.stderr
    assert {"plain": 2, "vip-of-node": 0, "kills-end-1": 2, "no-disk": 2} == {
        name: one["runs"] for name, one in trials.items()
    }
    assert {"held"} == {one["result"] for one in listed}
    assert [("vip-of-node", 1)] == [(one["name"], one["runs"]) for one in broken]
    assert "refused before any change: repository-is-sound: " in broken[0]["seen"]
    assert "the second run changed 0" in trials["plain"]["seen"]
    assert "killed at 1 of 1" in trials["kills-end-1"]["seen"]
    assert "machine-is-known/sample-worker-1: no disk of" in trials["no-disk"]["seen"]
    assert "(vip-is-node; a bootstrap is refused)" in trials["vip-of-node"]["seen"]
    assert not [*tmp_path.glob("state/talos-lifecycle/rehearsals/*/trial")]
