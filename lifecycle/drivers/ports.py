"""Who listens on a TCP port, for addresses that must still be free or already ours."""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime
from enum import Enum

__all__ = ["Signature", "is_listening", "read_certificate_begin", "read_signature"]

_SIGNING_S = 5.0  # seconds; a control plane that just starts is slow to shake hands


class Signature(Enum):
    """Whose certificate a TLS server shows."""

    OURS = "signed by the CA that was asked for"
    OTHER = "signed by another, or no TLS at all"
    UNSEEN = "the connection ended before it was shown"


async def is_listening(address: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Tell whether a TCP connection comes about within `timeout_s`; silence counts as no."""
    writer = await _connect(address, port, timeout_s)
    if writer is not None:
        writer.close()
    return writer is not None


async def read_signature(
    ca: bytes, address: str, port: int, *, timeout_s: float = _SIGNING_S
) -> Signature:
    """Tell whether a TLS server's certificate is signed by a CA (PEM); its name is not checked.

    One that ends the connection, as while it starts, has not said whose it is; silence is no TLS.
    """
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return Signature.OTHER
    context.check_hostname = False
    # Talos' CAs carry no Authority Key Identifier, which Python 3.13 and newer insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        writer = await _open(address, port, timeout_s, context)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        return Signature.UNSEEN
    except OSError:  # TimeoutError and ssl.SSLError are ones
        return Signature.OTHER
    writer.transport.abort()
    return Signature.OURS


async def read_certificate_begin(
    address: str, port: int, *, timeout_s: float = 2.0
) -> datetime | None:
    """Return since when a TLS server's certificate is valid, in UTC; None without an answer.

    Nothing of it is verified: it is a hint about the server's clock and no more.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    writer = await _connect(address, port, timeout_s, context)
    if writer is None:
        return None
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True)
    writer.transport.abort()
    # In a thread, since the import takes a while and other probes share the loop.
    return await asyncio.to_thread(_parse_begin, der) if der else None


async def _connect(
    address: str, port: int, timeout_s: float, context: ssl.SSLContext | None = None
) -> asyncio.StreamWriter | None:
    """Connect as `_open` does; None where that does not come about in time."""
    try:
        return await _open(address, port, timeout_s, context)
    except OSError:  # TimeoutError and ssl.SSLError are ones
        return None


async def _open(
    address: str, port: int, timeout_s: float, context: ssl.SSLContext | None
) -> asyncio.StreamWriter:
    """Connect, over TLS with a context.

    Whoever looks over TLS aborts the connection: a server that wants a certificate sends an alert,
    which OpenSSL would leave in its queue of errors for another connection to find.
    """
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_connection(address, port, ssl=context)
        return writer


def _parse_begin(der: bytes) -> datetime:
    from cryptography import x509  # noqa: PLC0415 (100 ms that most runs need only here)

    return x509.load_der_x509_certificate(der).not_valid_before_utc
