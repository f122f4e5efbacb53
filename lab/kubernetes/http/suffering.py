"""What a client sees of an API server that suffers, in the words of `lab.kubernetes.refusals`."""

from __future__ import annotations

import asyncio

from aiohttp import web

from lab.kubernetes import refusals
from lab.kubernetes.ailing import LATE_S, WATCH_S, ApiFault, Health, State
from lab.kubernetes.errors import ApiError, GoneError, NotFoundError
from lab.kubernetes.http.answers import answer_json
from lab.kubernetes.http.requests import read_target
from lab.kubernetes.refusals import Refusal
from lab.kubernetes.values import Object
from lab.sockets import reset_at_close

__all__ = ["CHECKS", "HEALTH", "CutError", "Suffering", "describe_health", "hang_up"]

HEALTH = frozenset({"readyz", "livez", "healthz"})
CHECKS = ("ping", "log", "etcd", "informer-sync", "poststarthook/rbac/bootstrap-roles")
# Of so many requests, the first is not heard, and of the last the answer gets lost.
_RESET_EVERY = 10


class CutError(ApiError):
    """The connection of a watch breaks: no answer at all."""


class Suffering:
    """Stands before one API server."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._asked = 0  # while connections are reset

    async def meet(self, request: web.Request) -> web.Response | None:
        """Let a request suffer; None when it is to be answered as usual."""
        health = self._health
        await health.wait_without(ApiFault.HANGING)
        parts = [part for part in request.path.split("/") if part]
        if health.has(ApiFault.SLOW):
            await health.clock.pause(LATE_S)
        if parts and parts[0] in HEALTH:
            return self._answer_health(parts[0])
        if health.has(ApiFault.RESET):
            self._asked += 1
            if self._asked % _RESET_EVERY == 1:
                hang_up(request)
                return web.Response()
        return self._refuse_restarting() or await self._refuse(request, parts)

    def leave(self, request: web.Request) -> None:
        """Break the connection after what was asked is done, where a reset is due."""
        is_change = request.method != "GET"
        if is_change and self._health.has(ApiFault.RESET) and not self._asked % _RESET_EVERY:
            hang_up(request)

    def is_stale(self) -> bool:
        """Tell whether a part of discovery is missing."""
        return self._health.has(ApiFault.AGGREGATED_DOWN)

    async def end_watch(self) -> ApiError:
        """Return why a watch ends, once one does."""
        while True:
            fault = await self._health.wait_for(ApiFault.WATCH_CUT, ApiFault.WATCH_GONE)
            await self._health.clock.pause(WATCH_S)
            if self._health.has(fault):
                break
        if fault is ApiFault.WATCH_CUT:
            return CutError("connection reset by peer")
        return GoneError("too old resource version: 1 (2)")

    def _answer_health(self, check: str) -> web.Response | None:
        health = self._health
        if health.has(ApiFault.ETCD_TIMEOUT) or health.has(ApiFault.LEADER_CHANGED):
            readiness = ("etcd-readiness",) if check == "readyz" else ()
            return _fail_health(check, "etcd", *readiness)
        if health.state is State.STARTING:
            return _fail_health(check, "poststarthook/rbac/bootstrap-roles")
        # Only readiness ends with the shutdown.
        if health.state is State.ENDING and check == "readyz":
            return _fail_health(check, "shutdown")
        return None

    def _refuse_restarting(self) -> web.Response | None:
        health = self._health
        if health.state is State.ENDING:
            return _refuse(refusals.ENDING)
        if health.state is State.STARTING:
            return _refuse(refusals.STARTING)
        return None

    async def _refuse(self, request: web.Request, parts: list[str]) -> web.Response | None:
        health = self._health
        if health.has(ApiFault.THROTTLED):
            text = f"{refusals.THROTTLED.message}\n"
            return web.Response(text=text, status=429, headers={"Retry-After": "1"})
        if health.has(ApiFault.CACHE_COLD) and _is_of_cache(request):
            return _refuse(refusals.CACHE_COLD)
        is_of_etcd = len(parts) > 2 and parts[0] in {"api", "apis"}  # noqa: PLR2004  discovery is not
        if is_of_etcd and health.has(ApiFault.ETCD_TIMEOUT):
            return await self._answer_without_etcd(request)
        if is_of_etcd and health.has(ApiFault.LEADER_CHANGED):
            return _refuse(refusals.LEADER_CHANGED)
        return None

    async def _answer_without_etcd(self, request: web.Request) -> web.Response:
        """Answer as a real server does whose etcd has no quorum."""
        if request.method == "POST":
            refusal = refusals.ETCD_CREATE
        elif _is_of_cache(request):
            refusal = refusals.ETCD_WATCH
        else:
            refusal = refusals.ETCD_READ if request.method == "GET" else refusals.ETCD_WRITE
        await self._health.clock.pause(refusal.after_s)
        return _refuse(refusal)


def hang_up(request: web.Request) -> None:
    """Break the connection of a request: its client sees a reset."""
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        reset_at_close(transport)
        transport.abort()


def describe_health(check: str, *failed: str) -> str:
    """List the checks of an API server, as it does when asked for all or when one fails."""
    checks = dict.fromkeys((*CHECKS, *failed))
    lines = [
        f"[-]{name} failed: reason withheld\n" if name in failed else f"[+]{name} ok\n"
        for name in checks
    ]
    return "".join(lines) + f"{check} check {'failed' if failed else 'passed'}\n"


def _fail_health(check: str, *failed: str) -> web.Response:
    return web.Response(text=describe_health(check, *failed), status=500)


def _refuse(refusal: Refusal) -> web.Response:
    wait: Object = {"retryAfterSeconds": refusal.retry_after_s}
    status = ApiError(refusal.message, details=wait if refusal.retry_after_s else None).status
    status |= {"code": refusal.code, "reason": refusal.reason}
    if not refusal.reason:
        del status["reason"]
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s else {}
    return answer_json(status, refusal.code, headers)


def _is_of_cache(request: web.Request) -> bool:
    """Tell whether a request is answered from the cache: lists and watches."""
    if request.method != "GET":
        return False
    try:
        target = read_target(request.path)
    except NotFoundError:
        return False
    return not target.name or "watch" in request.query
