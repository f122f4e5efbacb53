"""Whether something listens on a TCP port, for addresses that must still be free."""

from __future__ import annotations

import asyncio

__all__ = ["is_listening"]


async def is_listening(address: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Tell whether a TCP connection comes about within `timeout_s`; silence counts as no."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
