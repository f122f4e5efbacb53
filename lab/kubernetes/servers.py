"""Which API servers of a cluster there are, and whether any of them can be written to."""

from __future__ import annotations

import asyncio

from lab.kubernetes.api import Api
from lab.ledger import CAUSE

__all__ = ["Servers"]


class Servers:
    """The API servers that listen, by the names of their control planes.

    One that etcd does not answer listens all the same, and nobody can write or wait by it.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._names: set[str] = set()
        self._without_etcd: set[str] = set()
        self._usable = asyncio.Event()
        self.cause = 0  # the wait after which the first one answered (`lab.ledger`)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    @property
    def names(self) -> tuple[str, ...]:
        """Those that listen."""
        return tuple(self._names)

    def add(self, name: str) -> None:
        """Hear that one listens."""
        self._names.add(name)
        self._settle()

    def remove(self, name: str) -> None:
        """Hear that one listens no more; with the last, every watch ends."""
        self._names.discard(name)
        self._without_etcd.discard(name)
        self._settle()
        if not self._names:
            self._api.interrupt()

    def set_etcd(self, name: str, *, answers: bool) -> None:
        """Hear whether etcd answers one."""
        if answers:
            self._without_etcd.discard(name)
        else:
            self._without_etcd.add(name)
        self._settle()

    async def wait(self) -> None:
        """Wait until one can be used."""
        await self._usable.wait()

    def _settle(self) -> None:
        is_usable = self._api.is_available = bool(self._names - self._without_etcd)
        if is_usable and not self._usable.is_set():
            self.cause = CAUSE.get()
            self._usable.set()
        elif not is_usable:
            self._usable.clear()
