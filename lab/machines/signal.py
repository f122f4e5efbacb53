"""Waking whoever waits for a change, without saying what changed."""

from __future__ import annotations

import asyncio

__all__ = ["Signal"]


class Signal:
    """A bell: `ring` wakes every waiter; whoever comes later waits for the next ring."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float | None) -> None:
        """Wait for the next ring, at most `timeout_s` wall seconds; None waits for ever."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return
