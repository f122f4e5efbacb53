"""How clients made with client-go bear an API that fails: their leases, their informers.

Pure: whoever asks brings the time, in simulated seconds. Durations are client-go's own, by where
they stand in it; its random parts are left out, so that waits are the shortest that there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["FLUX_ELECTION", "MANAGER_ELECTION", "Election", "Leadership", "Sight"]

# kubelet starts a container that ended again at once, then after 10 s, 20 s, ... 5 min
# (pkg/kubelet: backOffPeriod and MaxContainerBackOff), and forgets that after 10 min of running.
_FIRST_RESTART_S, _LONGEST_RESTART_S, _RESTARTS_KEPT_S = 10.0, 300.0, 600.0
# tools/cache/reflector.go: backoffManager.
_FIRST_LIST_S, _LONGEST_LIST_S, _LISTS_KEPT_S = 0.8, 30.0, 120.0


@dataclass(frozen=True, slots=True)
class Election:
    """The settings of one leader election."""

    lease_s: float
    deadline_s: float


# kube-controller-manager and kube-scheduler: --leader-elect-lease-duration, -renew-deadline.
MANAGER_ELECTION = Election(lease_s=15.0, deadline_s=10.0)
# Flux: --leader-election-lease-duration, -renew-deadline (fluxcd/pkg runtime/leaderelection).
FLUX_ELECTION = Election(lease_s=35.0, deadline_s=30.0)


@dataclass(slots=True)
class Leadership:
    """Whether a controller leads (tools/leaderelection): one that cannot renew its Lease ends.

    Its next process waits until the Lease of the one before has run out, counted from when it
    first sees it. Where others stand by, they have seen it all the time.
    """

    election: Election
    holds: bool = True
    ended: int = 0  # how often a process ended
    _in_a_row: int = 0
    _renewed_s: float = 0.0
    _began_s: float = 0.0  # to lead, or when the next process starts
    _seen_s: float | None = None

    def begin(self, now_s: float) -> None:
        """Note that the Lease was renewed until now."""
        if self.holds:
            self._renewed_s = now_s

    def look(self, now_s: float, *, can_renew: bool, has_others: bool) -> bool:
        """Go on until now; tell whether it leads."""
        if self.holds:
            self._lead(now_s, can_renew=can_renew, has_others=has_others)
        else:
            self._campaign(now_s, can_renew=can_renew)
        return self.holds

    def _lead(self, now_s: float, *, can_renew: bool, has_others: bool) -> None:
        if can_renew:
            self._renewed_s = now_s
            return
        if now_s - self._renewed_s < self.election.deadline_s:
            return
        self.holds, self.ended = False, self.ended + 1
        if now_s - self._began_s >= _RESTARTS_KEPT_S:
            self._in_a_row = 0
        self._in_a_row += 1
        if has_others:
            self._began_s, self._seen_s = now_s, self._renewed_s
            return
        self._seen_s = None
        waits_s = _FIRST_RESTART_S * 2.0 ** (self._in_a_row - 2) if self._in_a_row > 1 else 0.0
        self._began_s = now_s + min(waits_s, _LONGEST_RESTART_S)

    def _campaign(self, now_s: float, *, can_renew: bool) -> None:
        if not can_renew or now_s < self._began_s:
            return
        if self._seen_s is None:
            self._seen_s = now_s
        if now_s - self._seen_s >= self.election.lease_s:
            self.holds, self._renewed_s, self._began_s = True, now_s, now_s


@dataclass(slots=True)
class Sight:
    """Whether informers see changes (tools/cache/reflector.go): a watch stands, and is fed."""

    sees: bool = True
    _since_s: float = 0.0
    _next_s: float = 0.0
    _tries: int = 0
    _waited_s: float = field(default=-_LISTS_KEPT_S)  # when a wait began last

    def look(self, now_s: float, *, can_list: bool, lasts_s: float = 0.0) -> bool:
        """Go on until now; tell whether they see. A watch ends after `lasts_s`, if any."""
        if self.sees:
            if can_list and not (lasts_s and now_s - self._since_s >= lasts_s):
                return True
            self._lose(now_s)
        elif now_s >= self._next_s:
            if can_list:
                self.sees, self._since_s = True, now_s
            else:
                self._lose(now_s)
        return self.sees

    def _lose(self, now_s: float) -> None:
        self.sees = False
        if now_s - self._waited_s > _LISTS_KEPT_S:
            self._tries = 0
        self._next_s = now_s + min(_FIRST_LIST_S * 2.0**self._tries, _LONGEST_LIST_S)
        self._waited_s, self._tries = now_s, self._tries + 1
