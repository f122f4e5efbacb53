"""What the benchmark computes from what it measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ci.bench_values import Chain, Link, Pass, Rehearsal, describe_spread, find_first, read_chain

CHAIN = Chain((Link("machine: install", 4.0, is_work=False), Link("render x", 1.0, is_work=True)))


def rehearsal(run_s: float, chain: Chain) -> Rehearsal:
    """A rehearsal that took `run_s` after two seconds of making its lab."""
    first = Pass(wall_s=run_s + 2.0, ready_s=2.0, first_probe_s=2.5, cpu_s=3.0, peak_kib=1)
    again = Pass(wall_s=1.0, ready_s=0.0, first_probe_s=0.5, cpu_s=1.0, peak_kib=1)
    return Rehearsal("sample", 10.0, first, again, chain, lab_cpu_s=1.0, lab_peak_kib=1, load=0.0)


def test_bench_compares_the_run_without_the_making_of_its_lab() -> None:
    """The ratio is of the run alone: a lab that is slow to make does not make a run slow."""
    assert 1.2 == pytest.approx(rehearsal(6.0, CHAIN).ratio)


def test_bench_tells_what_the_ratio_is_where_waits_take_their_time() -> None:
    """At life's speed the simulated waits last ten times as long here, own and tools' work not."""
    assert (40.0 + 1.0 + 1.0) / (40.0 + 1.0) == pytest.approx(rehearsal(6.0, CHAIN).ratio_in_life)


def test_bench_counts_the_processor_time_of_run_and_lab() -> None:
    """Cores are what both used together, by the wall time of the whole command."""
    assert 0.5 == pytest.approx(rehearsal(6.0, CHAIN).cores)


def test_bench_shows_no_ratio_without_a_chain() -> None:
    """A lab that recorded nothing gives no flattering figure."""
    assert float("inf") == rehearsal(6.0, Chain(())).ratio
    assert float("inf") == rehearsal(6.0, Chain(())).ratio_in_life


def test_bench_reads_simulated_seconds_as_wall_seconds() -> None:
    """The ledger counts in simulated seconds; what a run waits for passes on the wall."""
    install = {"what": "machine: install", "seconds": 40.0, "is_work": False}
    render = {"what": "render x", "seconds": 10.0, "is_work": True}

    assert CHAIN == read_chain({"speed": 10.0, "chain": [install, render]})


def test_bench_tells_work_from_simulated_waits() -> None:
    """How much of the critical path is the real work of tools is shown beside it."""
    assert (5.0, 1.0) == (CHAIN.wall_s, CHAIN.work_s)


@pytest.mark.parametrize(
    "answer", [{}, {"error": "no"}, {"speed": 1.0, "chain": [{"what": "x", "seconds": None}]}]
)
def test_bench_refuses_what_is_no_ledger(answer: dict[str, object]) -> None:
    """An answer of another form is an error, not a critical path of nothing."""
    with pytest.raises(TypeError):
        read_chain(answer)


def test_bench_finds_the_first_probe_in_a_log() -> None:
    """The first line of that event counts, whatever stands before it."""
    entries = [("command.started", 1), ("step.probed", 2), ("step.probed", 3)]
    moments = [(event, datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)) for event, second in entries]
    lines = [json.dumps({"event": event, "at": at.isoformat()}) for event, at in moments]

    assert moments[1][1] == find_first(lines, "step.probed")


@pytest.mark.parametrize(
    ("values", "shown"), [([1.0], "1.00 s"), ([3.0, 1.0, 2.5], "2.50 s (1.00 to 3.00)")]
)
def test_bench_shows_the_median_and_the_range(values: list[float], shown: str) -> None:
    """One slow run on a busy machine is seen, and does not move the figure."""
    assert shown == describe_spread(values)
