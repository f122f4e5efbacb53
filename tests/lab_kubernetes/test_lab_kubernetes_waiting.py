"""How clients bear an API that fails: Leases that cannot be renewed, informers that see nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.kubernetes.waiting import FLUX_ELECTION, MANAGER_ELECTION, Election, Leadership, Sight


def live(leader: Leadership, is_up: Callable[[int], bool], until: int, *, others: bool) -> str:
    """A letter a second: `L` leads, `.` does not."""
    looks = (leader.look(now, can_renew=is_up(now), has_others=others) for now in range(until))
    return "".join("L" if leads else "." for leads in looks)


@pytest.mark.parametrize("election", [MANAGER_ELECTION, FLUX_ELECTION])
def test_short_failure_is_borne(election: Election) -> None:
    """Whoever can renew in time goes on as if nothing had been."""
    seen = live(Leadership(election), lambda now: not 5 <= now < 13, 60, others=False)

    assert "L" * 60 == seen


def test_process_ends_and_the_next_waits_for_the_lease() -> None:
    """Ten seconds without renewal end it; after the failure the old Lease must run out first."""
    leader = Leadership(MANAGER_ELECTION)
    seen = live(leader, lambda now: not 1 <= now < 31, 60, others=False)

    assert seen.index(".") == 10
    assert seen.rindex(".") == 30 + 15
    assert 1 == leader.ended


def test_those_who_stand_by_take_over_at_once() -> None:
    """They saw the last renewal themselves: when the API is back, the Lease has run out."""
    seen = live(Leadership(MANAGER_ELECTION), lambda now: not 1 <= now < 31, 60, others=True)

    assert seen.rindex(".") == 30


def test_kubelet_starts_again_later_each_time() -> None:
    """Again and again without an API, the pauses between two leaderships grow."""
    seen = live(Leadership(MANAGER_ELECTION), lambda now: now % 60 < 40, 300, others=False)
    pauses = [len(pause) for pause in seen.split("L") if pause]

    assert pauses[:3] == sorted(pauses[:3])
    assert pauses[0] < pauses[2]


def test_informers_list_again_after_growing_waits() -> None:
    """Watches that end after five seconds each leave less and less time to see."""
    sight = Sight()
    seen = [sight.look(now, can_list=True, lasts_s=5.0) for now in range(120)]
    blind = "".join(" " if sees else "." for sees in seen).split()

    assert [1, 2, 4, 7, 13, 26] == [len(part) for part in blind][:6]


def test_informers_see_again_after_a_pause() -> None:
    """A list is tried after 0.8 s, 1.6 s, ...: the longer it failed, the later it is noticed."""
    sight = Sight()
    seen = [sight.look(now, can_list=not 1 <= now < 20) for now in range(40)]

    assert (1, 28) == (seen.index(False), seen.index(True, 1))
