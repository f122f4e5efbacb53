"""An aggregated API that does not answer: a real API server is told of one that is not there."""

from __future__ import annotations

import asyncio
import http.client

from lab.kubernetes.ailing import STALE_API
from lab.kubernetes.errors import ApiError, UnavailableError
from lab.kubernetes.values import Object
from lab.real.channel import Channel, Request
from lab.vital import end_tasks

__all__ = ["StaleApi"]

_PATH = "/apis/apiregistration.k8s.io/v1/apiservices"
# Wall seconds between two attempts while no API server answers.
_AGAIN_S = 0.2


class StaleApi:
    """Registers one, and takes it away again; one that somebody else registered stays as it is."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._is_down = False
        self._is_ours = False
        self._settling: asyncio.Task[None] | None = None

    def settle(self, *, is_down: bool) -> None:
        """Have it registered, or not."""
        if is_down != self._is_down:
            self._is_down = is_down
            self._settling = asyncio.create_task(self._settle(self._settling))

    async def close(self) -> None:
        """Settle nothing more."""
        settling, self._settling = self._settling, None
        await end_tasks(settling)
        self._is_ours = False

    async def _settle(self, before: asyncio.Task[None] | None) -> None:
        await end_tasks(before)
        while self._is_down != self._is_ours:
            try:
                self._send()
            except UnavailableError:
                await asyncio.sleep(_AGAIN_S)
            except ApiError as error:
                if error.code not in {http.client.CONFLICT, http.client.NOT_FOUND}:
                    raise
                return
            else:
                self._is_ours = self._is_down

    def _send(self) -> None:
        group, version = STALE_API
        name = f"{version}.{group}"
        if not self._is_down:
            self._channel.ask(Request("DELETE", f"{_PATH}/{name}"))
            return
        body: Object = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "kube-system", "name": "metrics-server"},
            },
        }
        self._channel.ask(Request("POST", _PATH, body=body))
