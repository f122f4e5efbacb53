"""What an API server that suffers answers: codes and words of the real one.

Those of 429 and 503 stand in kubernetes/apiserver: `pkg/server/filters`, `pkg/storage/cacher`,
`pkg/util/notfoundhandler`; those of etcd in `api/v3rpc/rpctypes`. What one without etcd does was
measured with 1.35.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.kubernetes.errors import UnavailableError

__all__ = [
    "AWAY",
    "CACHE_COLD",
    "ENDING",
    "ETCD_CREATE",
    "ETCD_READ",
    "ETCD_WATCH",
    "ETCD_WRITE",
    "HANGING",
    "LEADER_CHANGED",
    "STARTING",
    "THROTTLED",
    "Refusal",
    "SufferedError",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One answer; seconds are simulated, `after_s` is how long it takes to come."""

    code: int
    reason: str
    message: str
    retry_after_s: int = 0
    after_s: float = 0.0


_WITHIN = "Timeout: request did not complete within"
_COLD = "storage is (re)initializing"
THROTTLED = Refusal(429, "TooManyRequests", "Too many requests, please try again later.", 1)
CACHE_COLD = Refusal(429, "TooManyRequests", _COLD, 1)
LEADER_CHANGED = Refusal(500, "", "etcdserver: leader changed")
# etcd's own timeout of a request: 5 s and twice the election's.
ETCD_CREATE = Refusal(500, "", "etcdserver: request timed out", after_s=7.0)
# Until a server gives up a read or a change that etcd does not answer, and a list or watch whose
# cache cannot follow etcd.
ETCD_READ = Refusal(504, "Timeout", f"{_WITHIN} the allotted timeout", after_s=60.0)
ETCD_WRITE = Refusal(
    504, "Timeout", f"{_WITHIN} requested timeout - context deadline exceeded", after_s=60.0
)
ETCD_WATCH = Refusal(429, "TooManyRequests", _COLD, 30, after_s=20.0)
ENDING = Refusal(503, "ServiceUnavailable", "apiserver is shutting down", 1)
STARTING = Refusal(
    503,
    "ServiceUnavailable",
    "the request has been made before all known HTTP paths have been installed, please try again",
    5,
)
# No answer at all: what a client says itself.
HANGING = Refusal(504, "Timeout", "context deadline exceeded", after_s=30.0)
AWAY = Refusal(503, "ServiceUnavailable", "connect: connection refused")


class SufferedError(UnavailableError):
    """A request from inside the cluster that an API server refused because it suffers."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.code, self.reason = refusal.code, refusal.reason
