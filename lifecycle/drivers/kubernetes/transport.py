"""HTTP to one API server: requests in, documents out, every failure an `ApiError`."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lifecycle.drivers.documents import (
    JsonObject,
    as_object,
    list_at,
    number_at,
    object_at,
    parse_json,
    text_at,
)
from lifecycle.drivers.process import Listener
from lifecycle.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)

if TYPE_CHECKING:
    import httpx2

__all__ = ["Endpoint", "Transport", "error_from_status"]

_MESSAGE_CHARACTERS = 2000  # admission errors quote whole objects
# A connection that ended under a request: what only reads is sent once more (RFC 9110, 9.2.2),
# since a server may end a kept connection at any time. More than once is the caller's choice.
_BROKEN = "ConnectionBroken"
_CONNECT_TIMEOUT_S = 5.0
_REQUEST_TIMEOUT_S = 30.0
# Requests at the same time. More of them take longer: each connection has its handshake, and is
# looked at before each request that follows.
_CONNECTIONS = 8
_ERRORS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
    429: TooManyRequestsError,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is dialled, and the name that its certificate must carry."""

    address: str
    port: int
    server_name: str

    @property
    def url(self) -> str:
        """The base URL of the dialled address."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


class Transport:
    """Two pools of connections to one API server: those of requests, and one for each watch."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext,
        *,
        token: str = "",
        timeout_s: float = _REQUEST_TIMEOUT_S,
        listener: Listener | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._tls = tls
        self._token = token
        self._timeout_s = timeout_s
        self._listener = listener
        self._pools: dict[bool, httpx2.AsyncClient] = {}  # by whether they are for watches

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        """Send a request and return the document that comes back; raises ApiError."""
        send = partial(
            self._request, method, path, params=params, body=body, content_type=content_type
        )
        try:
            return await send()
        except UnavailableError as error:
            if method != "GET" or error.reason != _BROKEN:
                raise
            return await send()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        body: JsonObject | None,
        content_type: str,
    ) -> JsonObject:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        headers |= {"Content-Type": content_type} if body is not None else {}
        async with self._sent(method, path, params, content, headers) as response:
            text = await response.aread()
        self._tell(method, path, response.status_code)
        if response.is_error:
            raise _error(response, text.decode("utf-8", "replace"))
        try:
            return as_object(parse_json(text))
        except ValueError as error:
            message = f"answer is not JSON: `{path}`"
            raise UnavailableError(message, status=response.status_code) from error

    def _tell(self, method: str, path: str, status: int) -> None:
        """Tell of a request that changes something; reading is not worth a line in a log."""
        if self._listener is not None and method != "GET":
            fields: dict[str, str | int | float] = {
                "tool": "kubernetes",
                "argv": f"{method} {path}",
                "status": status,
            }
            self._listener("api.requested", fields)

    async def text(self, path: str) -> str:
        """Return the body of a GET as text, such as `/readyz`; raises ApiError."""
        async with self._sent("GET", path, None, b"", {}) as response:
            text = (await response.aread()).decode("utf-8", "replace")
        if response.is_error:
            raise _error(response, text)
        return text

    async def stream(
        self, path: str, params: Mapping[str, str]
    ) -> AsyncGenerator[JsonObject, None]:
        """Yield the documents of a watch, one a line, until the server ends it."""
        headers = {"Accept": "application/json"}
        async with self._sent("GET", path, params, b"", headers, endless=True) as response:
            if response.is_error:
                raise _error(response, (await response.aread()).decode("utf-8", "replace"))
            async for line in response.aiter_lines():
                if line.strip():
                    yield _parse_event(line)

    async def close(self) -> None:
        """Close the connections."""
        pools = [*self._pools.values()]
        self._pools.clear()
        for pool in pools:
            await pool.aclose()

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes,
        headers: Mapping[str, str],
        *,
        endless: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, map what the network does, and always give the connection back."""
        import httpx2  # noqa: PLC0415 - 0.2 s that must not delay the first probe

        read_s = None if endless else self._timeout_s
        try:
            async with self._connected(endless=endless).stream(
                method,
                path,
                params=dict(params or {}),
                content=content,
                headers=dict(headers),
                timeout=httpx2.Timeout(
                    self._timeout_s, connect=_CONNECT_TIMEOUT_S, read=read_s, pool=None
                ),
                # The certificate is checked against the declared name, wherever it is dialled.
                extensions={"sni_hostname": self.endpoint.server_name},
            ) as response:
                yield response
        except (httpx2.TransportError, ssl.SSLError) as error:
            # With TLS 1.3 a server refuses a client's certificate after the handshake, and the
            # alert comes through as it is.
            raise self._network_error(error) from error

    def _connected(self, *, endless: bool) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415 - see above

        if endless not in self._pools:
            at_once = None if endless else _CONNECTIONS
            self._pools[endless] = httpx2.AsyncClient(
                verify=self._tls,
                base_url=self.endpoint.url,
                headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
                limits=httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once),
                trust_env=False,  # a proxy variable must not lead away from the cluster
            )
        return self._pools[endless]

    def _network_error(self, error: Exception) -> ApiError:
        import httpx2  # noqa: PLC0415 - see above

        where = f"{self.endpoint.address}:{self.endpoint.port}"
        reason = str(error) or type(error).__name__
        broken = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return UnauthorizedError(
                f"server is not the cluster's: `{where}`: {reason}",
                reason="CertificateVerifyFailed",
                hint="take the kubeconfig from a control plane again",
            )
        return UnavailableError(
            f"API server does not answer: `{where}`: {reason}",
            reason=_BROKEN if isinstance(error, broken) else "Unreachable",
        )


def _parse_event(line: str) -> JsonObject:
    """Read a line of a watch; one that was cut in the middle ends the watch."""
    try:
        return as_object(parse_json(line))
    except ValueError as error:
        raise UnavailableError("watch was cut in the middle", reason="WatchCut") from error


def error_from_status(status: JsonObject, *, code: int = 0, retry_after_s: float = 0.0) -> ApiError:
    """Return the error for a Kubernetes Status document, its text capped."""
    code = number_at(status, "code") or code
    details = object_at(status, "details")
    delay_s = retry_after_s or float(number_at(details, "retryAfterSeconds"))
    causes = [text_at(cause, "message") for cause in list_at(details, "causes")]
    message = text_at(status, "message") or ", ".join(causes) or f"status {code}"
    kind = _ERRORS.get(code, UnavailableError if code >= 500 else ApiError)  # noqa: PLR2004 - HTTP's servers' errors
    return kind(
        message[:_MESSAGE_CHARACTERS],
        status=code,
        reason=text_at(status, "reason"),
        retry_after_s=delay_s,
    )


def _error(response: httpx2.Response, text: str) -> ApiError:
    """Return the error for an answer, whether its body is a Status or some proxy's text."""
    try:
        status = as_object(parse_json(text))
    except ValueError:
        status = {"message": text.strip()}
    header = response.headers.get("Retry-After", "")
    retry_after_s = float(header) if header.isdecimal() else 0.0
    return error_from_status(status, code=response.status_code, retry_after_s=retry_after_s)
