"""What a rehearsal makes of how bootstraps ended, without any bootstrap."""

from __future__ import annotations

import pytest

from lifecycle.cli.rehearsing.runs import judge_fault, spread
from lifecycle.cli.rehearsing.trials import Ended
from lifecycle.cli.rehearsing.values import Known, Verdict
from lifecycle.drivers.documents import JsonObject

SEEN = {"clocks-agree": "all within a second", "layer-is-ready/apps": "1 of 1 ready"}
PODS = Known("crashing", "pods", ("gate layer-is-ready", "diagnosis crash-loop"))
CLOCK = Known("time-not-synced", "machine", ("gate clocks-agree",))
BORNE = Known("slow-install", "machine", ())


def end(step: str, signature: str = "", message: str = "not ready") -> Ended:
    """Make a bootstrap that ended with a failure."""
    causes: list[JsonObject] = [{"signature": signature}] if signature else []
    failure: JsonObject = {"step": step, "message": f"{message}\nmore", "diagnoses": causes}
    return Ended(6, 1.0, {"failures": [failure]})


@pytest.mark.parametrize(
    ("known", "ended", "verdict", "said"),
    [
        (
            PODS,
            end("layer-is-ready/apps", "crash-loop"),
            Verdict.HELD,
            "layer-is-ready/apps: not ready (cause: crash-loop)",
        ),
        (
            PODS,
            end("layer-is-ready/apps", "out-of-memory"),
            Verdict.FAILED,
            "causes: out-of-memory",
        ),
        (PODS, end("layer-is-ready/apps"), Verdict.FAILED, "promised was gate layer-is-ready"),
        (PODS, end("install-cni", "crash-loop"), Verdict.FAILED, "but install-cni: not ready"),
        (PODS, Ended(0, 1.0), Verdict.FAILED, "nothing answered"),
        (BORNE, Ended(0, 1.0), Verdict.HELD, "the run bore it"),
        (BORNE, end("install-cni"), Verdict.FAILED, "promised was that a run bears it"),
        (BORNE, Ended(-9, 300.0, is_late=True), Verdict.FAILED, "did not end within 300 s"),
        (
            BORNE,
            Ended(2, 1.0, {"error": {"message": "fault is unknown"}}),
            Verdict.FAILED,
            "fault is unknown",
        ),
        (
            CLOCK,
            Ended(0, 1.0, {"steps": [{"name": "clocks-agree", "seen": "follows none: w1"}]}),
            Verdict.HELD,
            "clocks-agree let it pass, and says: follows none: w1",
        ),
        (
            CLOCK,
            Ended(0, 1.0, {"steps": [{"name": "clocks-agree", "seen": SEEN["clocks-agree"]}]}),
            Verdict.FAILED,
            "nothing answered",
        ),
    ],
)
def test_end_is_compared_with_what_is_promised(
    known: Known, ended: Ended, verdict: Verdict, said: str
) -> None:
    """A fault held when what the catalogue promises answered, and nothing else did."""
    judged, seen = judge_fault(known, ended, SEEN)

    assert verdict is judged
    assert said in seen


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(0, "abcdefgh"), (8, "abcdefgh"), (20, "abcdefgh"), (1, "e"), (2, "cg"), (4, "bdfh")],
)
def test_kills_are_spread_evenly(most: int, wanted: str) -> None:
    """A few kills still meet the beginning, the middle and the end."""
    assert list(wanted) == list(spread("abcdefgh", most))
