"""TLS to a machine over the standard `ssl` module, its errors worded as Go words them."""

from __future__ import annotations

import os
import socket
import ssl
from typing import NamedTuple

from lab.standins.talosctl.failure import RpcError, unavailable
from lab.tls import load_identity

__all__ = ["Credentials", "describe_alert", "load_client", "open_socket"]

# gRPC gives one attempt to connect this long (MinConnectTimeout).
_CONNECT_TIMEOUT_S = 20.0
_SPEED_VARIABLE = "TALOS_LAB_SPEED"
# OpenSSL's verification results (`x509_vfy.h`) that mean "no way to a trusted authority".
_UNKNOWN_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21, 30})
_WRONG_NAME = frozenset({62, 64})
_EXPIRED = frozenset({9, 10})
# Alerts: OpenSSL's reason to crypto/tls' text.
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls: certificate required",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls: bad certificate",
    "SSL/TLS_ALERT_BAD_CERTIFICATE": "tls: bad certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "tls: unknown certificate authority",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "tls: expired certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "tls: unknown certificate",
    "TLSV1_ALERT_DECRYPT_ERROR": "tls: error decrypting message",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls: handshake failure",
    "TLSV1_ALERT_ACCESS_DENIED": "tls: access denied",
    "TLSV1_ALERT_INTERNAL_ERROR": "tls: internal error",
}


class Credentials(NamedTuple):
    """What a connection trusts and shows; all empty for the maintenance API.

    Attributes:
        ca: PEM of the authority, empty to verify nothing.
        crt: PEM of the client certificate.
        key: PEM of its key.
        fingerprints: Base64 of SHA-256 over the public key that the server must have, if any.
    """

    ca: bytes = b""
    crt: bytes = b""
    key: bytes = b""
    fingerprints: tuple[str, ...] = ()


def open_socket(host: str, port: int, credentials: Credentials) -> ssl.SSLSocket:
    """Connect and shake hands.

    Raises:
        RpcError: `Unavailable`, as gRPC reports a failed connection.
    """
    context = _make_context(credentials)
    plain = _dial(host, port)
    try:
        secure = context.wrap_socket(plain, server_hostname=host)
    except (OSError, ssl.SSLError) as error:
        plain.close()
        reason = _describe_handshake(error, host, port, credentials)
        raise unavailable(f"transport: authentication handshake failed: {reason}") from error
    if credentials.fingerprints:
        _check_fingerprint(secure, credentials)
    secure.settimeout(None)
    return secure


def describe_alert(error: ssl.SSLError) -> str:
    """Word an alert that the server sent, as `remote error: tls: ...`."""
    reason = error.reason or ""
    return f"remote error: {_ALERTS.get(reason, 'tls: ' + reason.lower().replace('_', ' '))}"


def _dial(host: str, port: int) -> socket.socket:
    try:
        address = socket.gethostbyname(host)
    except OSError as error:
        raise RpcError("Unavailable", "name resolver error: produced zero addresses") from error
    prefix = f"transport: Error while dialing: dial tcp {address}:{port}: "
    limit_s = _CONNECT_TIMEOUT_S / float(os.environ.get(_SPEED_VARIABLE, "1"))
    try:
        plain = socket.create_connection((address, port), timeout=limit_s)
    except TimeoutError as error:
        raise unavailable(f"{prefix}i/o timeout") from error
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        raise unavailable(f"{prefix}connect: {text}") from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def _make_context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if credentials.ca:
        context.load_verify_locations(cadata=credentials.ca.decode())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.crt:
        load_client(context, credentials)
    return context


def load_client(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Make the context show a client certificate."""
    # Talos labels its keys in a way that OpenSSL does not know.
    key = credentials.key.replace(b"ED25519 PRIVATE KEY", b"PRIVATE KEY")
    load_identity(context, credentials.crt, key)


def _describe_handshake(error: OSError, host: str, port: int, credentials: Credentials) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _describe_verification(error, host, port, credentials)
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return "EOF"
    if "ALERT" in (error.reason or ""):
        return describe_alert(error)
    return "tls: first record does not look like a TLS handshake"


def _describe_verification(
    error: ssl.SSLCertVerificationError, host: str, port: int, credentials: Credentials
) -> str:
    from lab.standins.talosctl import certificates  # noqa: PLC0415  only when a handshake failed

    prefix = "tls: failed to verify certificate: x509: "
    leaf = _fetch_leaf(host, port)
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return f"{prefix}certificate signed by unknown authority" + certificates.hint_at_namesake(
            leaf, credentials.ca
        )
    if error.verify_code in _WRONG_NAME:
        return prefix + certificates.describe_wrong_name(leaf, host)
    if error.verify_code in _EXPIRED:
        return f"{prefix}certificate has expired or is not yet valid"
    return f"{prefix}{error.verify_message}"


def _fetch_leaf(host: str, port: int) -> bytes:
    """Get the server's certificate without verifying it, empty when it cannot be had."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=2.0) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def _check_fingerprint(secure: ssl.SSLSocket, credentials: Credentials) -> None:
    from lab.standins.talosctl import certificates  # noqa: PLC0415  only with --cert-fingerprint

    leaf = secure.getpeercert(binary_form=True) or b""
    if certificates.fingerprint(leaf) not in credentials.fingerprints:
        secure.close()
        wanted = " ".join(credentials.fingerprints)
        raise unavailable(
            "transport: authentication handshake failed: leaf peer certificate doesn't match the "
            f"provided fingerprints: [{wanted}]"
        )
