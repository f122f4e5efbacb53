"""What an error message needs to know of a certificate; imported only when something failed."""

from __future__ import annotations

import base64
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

__all__ = ["describe_wrong_name", "fingerprint", "hint_at_namesake", "roles_and_expiry"]


def hint_at_namesake(leaf: bytes, authority: bytes) -> str:
    """Say what crypto/x509 adds when the issuer has the name of a trusted authority, not its key.

    Two Talos clusters always meet this way: every Talos CA is called `talos`.
    """
    if not leaf or not authority:
        return ""
    candidate = x509.load_pem_x509_certificate(authority)
    if x509.load_der_x509_certificate(leaf).issuer != candidate.subject:
        return ""
    names = candidate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = names or candidate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    name = names[0].value if names else f"serial:{candidate.serial_number}"
    return (
        ' (possibly because of "x509: Ed25519 verification failure" while trying to verify '
        f'candidate authority certificate "{name!s}")'
    )


def describe_wrong_name(leaf: bytes, host: str) -> str:
    """Word the mismatch between a certificate's names and the address that was dialled."""
    names: list[str] = []
    is_address = _is_address(host)
    if leaf:
        certificate = x509.load_der_x509_certificate(leaf)
        try:
            san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            san = x509.SubjectAlternativeName([])
        if is_address:
            names = [str(item) for item in san.get_values_for_type(x509.IPAddress)]
        else:
            names = [str(item) for item in san.get_values_for_type(x509.DNSName)]
    if names:
        return f"certificate is valid for {', '.join(names)}, not {host}"
    if is_address:
        return f"cannot validate certificate for {host} because it doesn't contain any IP SANs"
    return f"certificate is not valid for any names, but wanted to match {host}"


def fingerprint(leaf: bytes) -> str:
    """Base64 of SHA-256 over the certificate's public key (SubjectPublicKeyInfo)."""
    key = x509.load_der_x509_certificate(leaf).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def roles_and_expiry(certificate: bytes) -> tuple[list[str], float]:
    """Roles (organizations) and expiry (seconds since the epoch) of a client certificate."""
    parsed = x509.load_pem_x509_certificate(certificate)
    organizations = parsed.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    roles = [str(item.value) for item in organizations]
    return roles, parsed.not_valid_after_utc.timestamp()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
