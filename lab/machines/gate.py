"""Who may talk to a machine now: nobody, anybody (maintenance), or the cluster's own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from lab.machines import pki
from lab.machines.config import MachineConfig
from lab.machines.listener import Listener
from lab.machines.signal import Signal
from lab.network import Line

__all__ = ["ApiGate", "ApiMode"]


class ApiMode(StrEnum):
    """What the machine wants its API to be."""

    DOWN = "down"
    MUTE = "mute"
    MAINTENANCE = "maintenance"
    MAINTENANCE_AHEAD = "maintenance-ahead"  # by a clock that is wrong
    CONFIGURED = "configured"


# Modes in which anybody may talk, and how far ahead the clock is that dates the certificate.
_MAINTENANCE = {
    ApiMode.MAINTENANCE: timedelta(),
    ApiMode.MAINTENANCE_AHEAD: timedelta(days=1),
}


class ApiGate:
    """Keeps the listener in the mode wanted, with the certificates of that mode.

    `find_authority` gives the Talos CA with its key, or None while nobody can sign (a worker
    while trustd runs on no control plane): the API stays down so long, unless it has a
    certificate of this boot already.
    """

    def __init__(
        self,
        listener: Listener,
        names: tuple[str, ...],
        find_authority: Callable[[], pki.KeyPair | None],
    ) -> None:
        self._listener = listener
        self._names = names
        self._find_authority = find_authority
        self._lock = asyncio.Lock()
        self._state = (ApiMode.DOWN, "")
        self._cut = Signal()

    @property
    def line(self) -> Line:
        """The machine's line."""
        return self._listener.line

    @property
    def is_open(self) -> bool:
        """Tell whether the API answers."""
        return self._listener.is_open

    async def wait_cut(self) -> None:
        """Wait until the connections that are open now are cut."""
        await self._cut.wait(None)

    async def set(self, mode: ApiMode, config: MachineConfig | None, hostname: str) -> None:
        """Bring the listener into `mode`; does nothing when it is there already."""
        async with self._lock:
            authority = self._find_authority() if mode is ApiMode.CONFIGURED else None
            if mode is ApiMode.CONFIGURED and authority is None:
                if self._state[0] is mode:
                    return
                mode = ApiMode.DOWN
            key = pki.identify_authority(authority.crt) if authority else ""
            if (mode, key) != self._state:
                make_context = self._choose_context(mode, authority, config, hostname)
                await self._enter(mode, make_context)
                self._state = (mode, key)
                self._cut.ring()

    async def _enter(
        self, mode: ApiMode, make_context: Callable[[], ssl.SSLContext] | None
    ) -> None:
        if make_context is not None:
            await self._listener.open(make_context)
        elif mode is ApiMode.MUTE:
            await self._listener.open_mute()
        else:
            await self._listener.close()

    def _choose_context(
        self,
        mode: ApiMode,
        authority: pki.KeyPair | None,
        config: MachineConfig | None,
        hostname: str,
    ) -> Callable[[], ssl.SSLContext] | None:
        # What apid puts into its certificate: its addresses, the loopback, its name, declared SANs.
        names = (*self._names, "127.0.0.1", "::1", hostname)
        if mode in _MAINTENANCE:
            ahead = _MAINTENANCE[mode]
            return lambda: pki.make_server_context(pki.mint_maintenance(names, ahead=ahead), None)
        if authority is None or config is None:
            return None
        names = (*names, *config.cert_sans)
        return lambda: pki.make_server_context(pki.mint_server(authority, names), authority.crt)
