"""Certificates of simulated machines, and the TLS contexts made of them.

A machine in maintenance mints a new self-signed certificate each boot. A configured one mints its
server leaf from `machine.ca` of its config, as Talos does; clients must then show a certificate of
the same CA. Talos' keys carry the PEM label `ED25519 PRIVATE KEY`, which cryptography refuses.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.tls import load_identity

__all__ = [
    "KeyPair",
    "identify_authority",
    "load_leaf",
    "make_authority",
    "make_server_context",
    "mint_client",
    "mint_maintenance",
    "mint_server",
]

_LIFETIME = timedelta(hours=24)  # of Talos' server leaves
_AUTHORITY_LIFETIME = timedelta(days=3650)
_ADMIN_LIFETIME = timedelta(days=365)  # of the kubeconfig that Talos issues
_CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, both PEM."""

    crt: bytes
    key: bytes = field(repr=False)


@lru_cache(maxsize=64)  # asked for at every look that a machine takes at its peers
def identify_authority(ca_crt: bytes) -> str:
    """Name a CA by the digest of its PEM: two machines with the same one are one cluster."""
    return sha256(ca_crt).hexdigest()


def make_authority(organization: str) -> KeyPair:
    """Make an Ed25519 CA as `talosctl gen secrets` does."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = _name(organization=organization)
    builder = _begin(name, name, _AUTHORITY_LIFETIME).public_key(key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    return KeyPair(_dump_crt(builder.sign(key, None)), _dump_key(key))


def mint_maintenance(names: Sequence[str], *, ahead: timedelta = timedelta()) -> KeyPair:
    """Make the self-signed certificate of one maintenance boot, by a clock that is so far ahead."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = _name(common="maintenance-service.talos.dev")
    builder = _begin(name, name, _LIFETIME, ahead).public_key(key.public_key())
    builder = _add_leaf_extensions(builder, names, ExtendedKeyUsageOID.SERVER_AUTH)
    return KeyPair(_dump_crt(builder.sign(key, None)), _dump_key(key))


def mint_server(authority: KeyPair, names: Sequence[str]) -> KeyPair:
    """Make a server leaf for addresses and host names, signed by the Talos CA."""
    return _mint(
        authority,
        ed25519.Ed25519PrivateKey.generate(),
        _name(common=names[0]),
        (names, ExtendedKeyUsageOID.SERVER_AUTH),
        _LIFETIME,
    )


def mint_client(authority: KeyPair, organization: str, *, common: str = "") -> KeyPair:
    """Make a client leaf; `organization` carries the role (Talos) or group (Kubernetes).

    The key is of the kind that the authority uses: Ed25519 for Talos, P-256 for Kubernetes.
    """
    issuer = _load_key(authority.key)
    if isinstance(issuer, ed25519.Ed25519PrivateKey):
        key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = (
            ed25519.Ed25519PrivateKey.generate()
        )
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    name = _name(organization=organization, common=common)
    return _mint(authority, key, name, ((), ExtendedKeyUsageOID.CLIENT_AUTH), _ADMIN_LIFETIME)


def make_server_context(leaf: KeyPair, client_ca: bytes | None) -> ssl.SSLContext:
    """Make the context of a Talos API listener: TLS 1.3 and h2; clients proven when `client_ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    load_leaf(context, leaf)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())
    return context


def load_leaf(context: ssl.SSLContext, leaf: KeyPair) -> None:
    """Give a context its own certificate."""
    load_identity(context, leaf.crt, leaf.key)


def _mint(
    authority: KeyPair,
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    usage: tuple[Sequence[str], x509.ObjectIdentifier],
    lifetime: timedelta,
) -> KeyPair:
    issuer_crt = x509.load_pem_x509_certificate(authority.crt)
    issuer_key = _load_key(authority.key)
    builder = _begin(issuer_crt.subject, subject, lifetime).public_key(key.public_key())
    builder = _add_leaf_extensions(builder, *usage)
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else SHA256()
    return KeyPair(_dump_crt(builder.sign(issuer_key, algorithm)), _dump_key(key))


def _begin(
    issuer: x509.Name, subject: x509.Name, lifetime: timedelta, ahead: timedelta = timedelta()
) -> x509.CertificateBuilder:
    # Wall time, not simulated time: real tools on the other side judge it by theirs.
    now = datetime.now(UTC) + ahead
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _add_leaf_extensions(
    builder: x509.CertificateBuilder, names: Sequence[str], usage: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
    if not names:
        return builder
    unique = list(dict.fromkeys(name for name in names if name))
    return builder.add_extension(x509.SubjectAlternativeName(map(_alternative, unique)), False)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(*, common: str = "", organization: str = "") -> x509.Name:
    attributes = [
        x509.NameAttribute(oid, value)
        for oid, value in (
            (NameOID.ORGANIZATION_NAME, organization),
            (NameOID.COMMON_NAME, common),
        )
        if value
    ]
    return x509.Name(attributes)


def _load_key(
    pem: bytes,
) -> ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    relabelled = pem.replace(b"ED25519 PRIVATE KEY", b"PRIVATE KEY")
    key = serialization.load_pem_private_key(relabelled, password=None)
    kinds = (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)
    if not isinstance(key, kinds):
        message = f"a CA key of this kind cannot sign: `{type(key).__name__}`"
        raise TypeError(message)
    return key


def _dump_crt(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _dump_key(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
