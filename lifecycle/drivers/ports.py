"""Who listens on a TCP port, for addresses that must still be free or already ours."""

from __future__ import annotations

import asyncio
import ssl

__all__ = ["is_listening", "is_signed_by"]


async def is_listening(address: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Tell whether a TCP connection comes about within `timeout_s`; silence counts as no."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


async def is_signed_by(ca: bytes, address: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Tell whether a TLS server's certificate is signed by a CA (PEM); its name is not checked."""
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return False
    context.check_hostname = False
    # Talos' CAs carry no Authority Key Identifier, which Python 3.13 and newer insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address, port, ssl=context)
    except OSError:  # ssl.SSLError is one
        return False
    writer.close()
    return True
