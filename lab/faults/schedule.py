"""Random schedules of faults that pass: the same seed makes the same one for the same cluster."""

from __future__ import annotations

import random

from lab.faults.catalogue import find_fault
from lab.faults.request import FaultRequest
from lab.faults.values import Hands, RunningFault, list_machines

__all__ = ["PASSING", "make_schedule"]

# What comes and goes in life, and leaves nothing behind that only a person can put right.
PASSING = (
    "unreachable",
    "silent",
    "partitioned",
    "slowed",
    "cut",
    "flapping",
    "slow-install",
    "install-fails",
    "slow-bootstrap",
    "lost-state",
    "etcd-learner",
    "absent-installer",
    "api-slow",
    "api-throttled",
    "api-cache-cold",
    "api-leader-changed",
    "api-etcd-timeout",
    "api-restarting",
    "api-watch-cut",
    "api-watch-gone",
    "api-reset",
    "git-denied",
    "git-unresolved",
)
_FEWEST, _MOST = 2, 4
# Simulated seconds; a bootstrap of a few machines takes about five minutes of them.
_LATEST_S = 240
_SHORTEST_S, _LONGEST_S = 10, 90


def make_schedule(seed: int, hands: Hands) -> tuple[FaultRequest, ...]:
    """Choose some faults, what they strike, when, and for how long; in the order of time."""
    chance = random.Random(seed)  # noqa: S311 (to be replayed, not to be secret)
    fit = [name for name in PASSING if _is_fit(name, hands)]
    names = chance.sample(fit, chance.randint(_FEWEST, _MOST))
    made = [_choose(chance, name, hands) for name in names]
    return tuple(sorted(made, key=lambda request: request.seconds))


def _is_fit(name: str, hands: Hands) -> bool:
    fault = find_fault(name)
    if not isinstance(fault, RunningFault):
        return False
    return len(hands.control_planes) >= fault.fewest_planes


def _choose(chance: random.Random, name: str, hands: Hands) -> FaultRequest:
    fault = find_fault(name)
    machines = list_machines(hands, fault.target) if isinstance(fault, RunningFault) else ()
    return FaultRequest(
        name,
        chance.choice(machines) if machines else "",
        seconds=float(chance.randint(1, _LATEST_S)),
        lasting=float(chance.randint(_SHORTEST_S, _LONGEST_S)),
    )
