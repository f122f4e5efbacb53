"""Requests to whichever API server answers: one at a time, and the caller waits.

Blocking on purpose: so a write of a controller is one step, as it is with the lab's own store.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from lab.kubernetes.errors import UnavailableError
from lab.real.refusals import read_refusal

if TYPE_CHECKING:
    from lab.kubernetes.values import Json, Object

__all__ = ["Channel", "Request"]

# Wall seconds. The lab stands still meanwhile, and an API server without etcd answers nothing.
_TIMEOUT_S = 10.0
_BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an API server."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    form: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


class Channel:
    """The API servers of one cluster, by name; the first that answers is asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.opened = asyncio.Event()  # set while there is any API server
        self.context: ssl.SSLContext | None = None  # an administrator's, since the PKI is known
        self._hosts: dict[str, str] = {}
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def host(self) -> str:
        """Address of the API server that is asked; "" while there is none."""
        return next(iter(self._hosts.values()), "")

    def knows(self, name: str) -> bool:
        """Tell whether an API server is asked."""
        return name in self._hosts

    def add(self, name: str, host: str) -> None:
        """Ask this API server, too."""
        self._hosts[name] = host
        self.opened.set()

    def remove(self, name: str) -> None:
        """Ask an API server no more."""
        host = self._hosts.pop(name, "")
        if self._connection is not None and self._connection.host == host:
            self._hang_up()
        if not self._hosts:
            self.opened.clear()

    def ask(self, request: Request) -> Object:
        """Send a request and return the answer, an object.

        Raises:
            UnavailableError: no API server answers.
            ApiError: it was refused.
        """
        code, answer = self._exchange(request)
        if code >= http.client.BAD_REQUEST:
            raise read_refusal(code, answer)
        found = json.loads(answer)
        return cast("Object", found) if isinstance(found, dict) else {}

    def _exchange(self, request: Request) -> tuple[int, bytes]:
        # A kept connection may have been closed meanwhile; and one API server may be gone.
        why = ""
        for _ in range(1 + len(self._hosts)):
            try:
                return self._send(request)
            except _BROKEN as error:
                why = str(error)
                self._hang_up()
                self._try_next()
        raise UnavailableError(f"no API server answers: {why}")

    def _send(self, request: Request) -> tuple[int, bytes]:
        connection = self._connect()
        body = None if request.body is None else json.dumps(request.body, separators=(",", ":"))
        headers = {
            "Accept": request.accept,
            "User-Agent": "lab",
            **({"Content-Type": request.form} if body is not None else {}),
            **request.headers,
        }
        connection.request(request.method, request.target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def _connect(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            if not self.host or self.context is None:
                raise UnavailableError("connection refused: no API server is listening")
            self._connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=_TIMEOUT_S, context=self.context
            )
        return self._connection

    def _try_next(self) -> None:
        """Put the first API server behind the others."""
        for name, host in list(self._hosts.items())[:1]:
            del self._hosts[name]
            self._hosts[name] = host

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
