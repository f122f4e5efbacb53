"""What a bootstrap of a broken repository has to do, by how it ended."""

from __future__ import annotations

import pytest

from inventory import Finding, Position, Severity
from lifecycle.cli.rehearsing.broken import judge_broken
from lifecycle.cli.rehearsing.content import Damage
from lifecycle.cli.rehearsing.trials import Ended
from lifecycle.cli.rehearsing.values import Verdict
from lifecycle.drivers.documents import JsonObject

PLACE = Position("clusters/main/apps/ks.yaml", 3, 5)
ERROR = Finding("missing-path", Severity.ERROR, "path does not exist: `./app`", PLACE)
WARNING = Finding("unpinned-version", Severity.WARNING, "not pinned: `latest`", PLACE)
FORBIDDEN = Damage("", (PLACE.path,), (ERROR,))
TOLERATED = Damage("", (PLACE.path,), (WARNING,))


def failed(code: int, message: str, **cause: str) -> Ended:
    """Make a run that failed, with a cause where one is given."""
    failure: JsonObject = {"step": "layer-is-ready/apps", "message": message, "diagnoses": [cause]}
    return Ended(code, 1.0, {"failures": [failure], "changed": 7})


@pytest.mark.parametrize(
    ("damage", "ended", "verdict", "said"),
    [
        (
            FORBIDDEN,
            failed(4, f"{PLACE}: path does not exist (missing-path)"),
            Verdict.HELD,
            "refused before any change: layer-is-ready/apps: ",
        ),
        (
            FORBIDDEN,
            Ended(2, 1.0, {"error": {"message": f"{PLACE.path}:3:5: cannot be read"}}),
            Verdict.HELD,
            "refused before any change: ",
        ),
        (
            FORBIDDEN,
            failed(4, "tool is missing: `sops`"),
            Verdict.FAILED,
            "nothing that it says leads to what is broken: layer-is-ready/apps: tool is missing",
        ),
        (
            FORBIDDEN,
            Ended(0, 1.0),
            Verdict.FAILED,
            "it came to its end, with what should have been refused",
        ),
        (TOLERATED, Ended(0, 1.0), Verdict.HELD, "a bootstrap comes to its end all the same"),
        (
            TOLERATED,
            failed(6, "not ready", cause="image `latest` is not there", signature="image-gone"),
            Verdict.HELD,
            "layer-is-ready/apps: not ready (cause: image-gone), after 7 changes",
        ),
        (
            TOLERATED,
            failed(6, "not ready", cause="the disk is full", signature="disk-full"),
            Verdict.FAILED,
            "nothing that it says leads to what is broken: layer-is-ready/apps: not ready",
        ),
        (
            TOLERATED,
            Ended(-9, 30.0, said="layer-is-ready/apps waits; cause so far: no `latest`"),
            Verdict.HELD,
            "named while the run waited, and ended: layer-is-ready/apps waits; cause so far",
        ),
        (
            TOLERATED,
            Ended(-9, 300.0, is_late=True),
            Verdict.FAILED,
            "it did not end within 300 s",
        ),
    ],
)
def test_bootstrap_of_a_broken_repository_is_judged(
    damage: Damage, ended: Ended, verdict: Verdict, said: str
) -> None:
    """It is refused with its place, borne where nothing forbids it, or named when it fails."""
    judged, seen = judge_broken(damage, ended)

    assert verdict is judged
    assert seen.startswith(said)
