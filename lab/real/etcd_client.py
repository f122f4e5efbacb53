"""Asking a real etcd: its JSON gateway, over mutual TLS."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import aiohttp

from lab.kubernetes.values import Object, text
from lab.ports import EtcdHostError

if TYPE_CHECKING:
    from lab.kubernetes.values import Json

__all__ = ["EtcdClient"]

_TIMEOUT_S = 10.0
# A line of a snapshot carries 32 KiB, base64.
_LONGEST_LINE = 1024 * 1024


class EtcdClient:
    """One member's client API, for a few requests; use as an asynchronous context manager."""

    def __init__(self, url: str, keys: Path) -> None:
        self._url = url
        context = _make_context(keys)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            read_bufsize=_LONGEST_LINE,
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, call: str, body: Mapping[str, Json] | None = None) -> Object:
        """Call `/v3/CALL`.

        Raises:
            EtcdHostError: it is refused, or nobody answers.
        """
        try:
            async with self._session.post(f"{self._url}/v3/{call}", json=body or {}) as answer:
                is_done = answer.status == HTTPStatus.OK
                found = cast("Json", json.loads(await answer.read()))
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise EtcdHostError(f"etcd does not answer: {error}") from error
        if not isinstance(found, dict) or not is_done:
            raise EtcdHostError(text(found, "message") or "etcd refuses, and does not say why")
        return found

    async def is_healthy(self) -> bool:
        """Tell whether the member has a leader and answers."""
        try:
            async with self._session.get(f"{self._url}/health") as answer:
                found = cast("Json", json.loads(await answer.read()))
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            return False
        return text(found, "health") == "true"

    async def is_listening(self) -> bool:
        """Tell whether anything answers."""
        try:
            async with self._session.get(f"{self._url}/version"):
                return True
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def take_snapshot(self) -> bytes:
        """Read the database, with the SHA-256 of it behind it.

        Raises:
            EtcdHostError: it ends early, or nobody answers.
        """
        pieces: list[bytes] = []
        url = f"{self._url}/v3/maintenance/snapshot"
        try:
            async with self._session.post(url, json={}) as answer:
                async for line in answer.content:
                    found = cast("Json", json.loads(line))
                    if not isinstance(found, dict) or "error" in found:
                        raise EtcdHostError(text(found, "error", "message") or "snapshot failed")
                    pieces.append(base64.b64decode(text(found, "result", "blob")))
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise EtcdHostError(f"etcd does not answer: {error}") from error
        return b"".join(pieces)


def _make_context(keys: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=keys / "ca.crt")
    context.load_cert_chain(keys / "member.crt", keys / "member.key")
    return context
