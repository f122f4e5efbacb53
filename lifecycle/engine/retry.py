"""The only retry: bounded in attempts and in time, with jitter, for named errors only."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import tenacity

from lifecycle.clock import Clock
from lifecycle.errors import LifecycleError

__all__ = ["RetryPolicy", "call_with_retry"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long; seconds of the run's own time."""

    attempts: int = 6
    total_s: float = 300.0
    first_wait_s: float = 2.0
    longest_wait_s: float = 30.0

    def compute_wait_s(self, attempt: int, error: BaseException | None) -> float:
        """Double the wait each time, spread it by a fifth, respect what the server asked."""
        base = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        asked = float(getattr(error, "retry_after_s", 0.0))
        return max(base * random.uniform(0.8, 1.2), asked)  # noqa: S311 (not cryptography)


async def call_with_retry(
    call: Callable[[], Awaitable[None]],
    *,
    on: tuple[type[LifecycleError], ...],
    clock: Clock,
    policy: RetryPolicy | None = None,
    before_retry: Callable[[int, LifecycleError, float], Awaitable[bool]] | None = None,
) -> int:
    """Call until it returns, an error not in `on` is raised, or the policy ends.

    `before_retry(attempt, error, wait_s)` hears of each retry and may end it by returning False.

    Returns:
        How many attempts it took.

    Raises:
        LifecycleError: the last error, as it was raised.
    """
    bounds = policy or RetryPolicy()
    started_s = clock.monotonic_s()
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(on),
        stop=_stop_when(bounds, started_s, clock),
        wait=_wait_by(bounds),
        sleep=clock.sleep,
        reraise=True,
    )
    attempt_number = 0
    async for attempt in retrying:
        attempt_number = attempt.retry_state.attempt_number
        with attempt:
            try:
                await call()
            except on as error:
                wait_s = bounds.compute_wait_s(attempt_number, error)
                if before_retry and not await before_retry(attempt_number, error, wait_s):
                    return attempt_number
                raise
    return attempt_number


def _stop_when(
    policy: RetryPolicy, started_s: float, clock: Clock
) -> Callable[[tenacity.RetryCallState], bool]:
    def stop(state: tenacity.RetryCallState) -> bool:
        is_late = clock.monotonic_s() - started_s >= policy.total_s
        return is_late or state.attempt_number >= policy.attempts

    return stop


def _wait_by(policy: RetryPolicy) -> Callable[[tenacity.RetryCallState], float]:
    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return policy.compute_wait_s(state.attempt_number, error)

    return wait
