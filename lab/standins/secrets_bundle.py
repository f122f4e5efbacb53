"""Talos' secrets bundle: made new, read, checked, and used to issue the admin certificate.

The format is that of `talosctl gen secrets` and of talhelper's `gensecret`; names, key kinds and
certificate fields follow siderolabs/crypto v0.6 and `pkg/machinery/config/generate/secrets`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import secrets
from dataclasses import dataclass, field

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.standins.values import JsonMap, as_map, as_text, from_untyped

__all__ = [
    "CertificateAndKey",
    "SecretsBundle",
    "SecretsError",
    "issue_admin_certificate",
    "make_talsecret",
    "parse_bundle",
]

# CAValidityTime of the generator: 87600 h.
_CA_VALIDITY = dt.timedelta(hours=87600)
# TalosAPIDefaultCertificateValidityDuration: one year.
_ADMIN_VALIDITY = dt.timedelta(days=365)
# The real bundle carries 4096 bits; nothing looks at the size and a short key takes a tenth.
_SERVICE_ACCOUNT_BITS = 2048
_TOKEN_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"  # noqa: S105  an alphabet, no secret
_ED25519_LABEL = b"ED25519 PRIVATE KEY"
_PLAIN_LABEL = b"PRIVATE KEY"

_Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class SecretsError(Exception):
    """A secrets bundle that cannot be used; the text is the real tools' own."""


@dataclass(frozen=True, slots=True)
class CertificateAndKey:
    """A PEM pair; either part may be empty."""

    crt: bytes = b""
    key: bytes = field(default=b"", repr=False)

    def to_json(self, *, with_key: bool = True) -> JsonMap:
        """The `{crt, key}` mapping of machine configs, base64 of PEM."""
        key = base64.b64encode(self.key).decode() if with_key else ""
        return {"crt": base64.b64encode(self.crt).decode(), "key": key}


@dataclass(frozen=True, slots=True)
class SecretsBundle:
    """Everything secret that machine configs are made of."""

    cluster_id: str
    cluster_secret: str = field(repr=False)
    bootstrap_token: str = field(repr=False)
    secretbox_secret: str = field(repr=False)
    aescbc_secret: str = field(repr=False)
    trustd_token: str = field(repr=False)
    etcd: CertificateAndKey
    kubernetes: CertificateAndKey
    aggregator: CertificateAndKey
    service_account: CertificateAndKey
    os: CertificateAndKey


def make_talsecret(*, indent: int = 4) -> str:
    """Make a new secrets bundle as YAML, with real keys and certificate authorities.

    Args:
        indent: Spaces a level: `talosctl gen secrets` writes 4, ClusterTool 2.
    """
    bundle: JsonMap = {
        "cluster": {
            "id": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret": base64.b64encode(secrets.token_bytes(32)).decode(),
        },
        "secrets": {
            "bootstraptoken": _make_token(),
            "secretboxencryptionsecret": base64.b64encode(secrets.token_bytes(32)).decode(),
        },
        "trustdinfo": {"token": _make_token()},
        "certs": {
            "etcd": _make_authority(ec.generate_private_key(ec.SECP256R1()), "etcd").to_json(),
            "k8s": _make_authority(ec.generate_private_key(ec.SECP256R1()), "kubernetes").to_json(),
            # The real generator drops the common name, so this subject is empty.
            "k8saggregator": _make_authority(ec.generate_private_key(ec.SECP256R1()), "").to_json(),
            "k8sserviceaccount": {"key": base64.b64encode(_make_service_account_key()).decode()},
            "os": _make_authority(ed25519.Ed25519PrivateKey.generate(), "talos").to_json(),
        },
    }
    return yaml.safe_dump(bundle, sort_keys=False, indent=indent, width=1 << 30)


def parse_bundle(text: str) -> SecretsBundle:
    """Read a bundle from YAML.

    Raises:
        SecretsError: Not YAML, or a value that is not base64, worded as Go words it.
    """
    try:
        root = as_map(from_untyped(yaml.safe_load(text)))
    except yaml.YAMLError as error:
        raise SecretsError(f"yaml: {error}") from error
    cluster, secret = as_map(root.get("cluster")), as_map(root.get("secrets"))
    certs, trustd = as_map(root.get("certs")), as_map(root.get("trustdinfo"))
    return SecretsBundle(
        cluster_id=as_text(cluster.get("id")),
        cluster_secret=as_text(cluster.get("secret")),
        bootstrap_token=as_text(secret.get("bootstraptoken")),
        secretbox_secret=as_text(secret.get("secretboxencryptionsecret")),
        aescbc_secret=as_text(secret.get("aescbcencryptionsecret")),
        trustd_token=as_text(trustd.get("token")),
        etcd=_read_pair(as_map(certs.get("etcd"))),
        kubernetes=_read_pair(as_map(certs.get("k8s"))),
        aggregator=_read_pair(as_map(certs.get("k8saggregator"))),
        service_account=_read_pair(as_map(certs.get("k8sserviceaccount"))),
        os=_read_pair(as_map(certs.get("os"))),
    )


def issue_admin_certificate(authority: CertificateAndKey) -> CertificateAndKey:
    """Issue the `os:admin` client certificate that a talosconfig carries.

    Raises:
        SecretsError: The authority is not a usable PEM pair.
    """
    issuer, issuer_key = _load_authority(authority)
    key = ed25519.Ed25519PrivateKey.generate()
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "os:admin")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _ADMIN_VALIDITY)
        .add_extension(_make_key_usage(cert_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
        .sign(issuer_key, None)
    )
    return CertificateAndKey(certificate.public_bytes(Encoding.PEM), _encode_key(key))


def _make_authority(key: _Key, organization: str) -> CertificateAndKey:
    attributes = (
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    )
    now = dt.datetime.now(dt.UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    # Go leaves out the authority key identifier of self-signed certificates; so do we, since a
    # client that insists on one (Python 3.13's strict mode) must fail here as it does in life.
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.Name(attributes))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _CA_VALIDITY)
        .add_extension(_make_key_usage(cert_sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(secrets.token_bytes(20)), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return CertificateAndKey(certificate.public_bytes(Encoding.PEM), _encode_key(key))


def _make_key_usage(*, cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _encode_key(key: _Key) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.replace(_PLAIN_LABEL, _ED25519_LABEL)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _make_service_account_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_SERVICE_ACCOUNT_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _make_token() -> str:
    parts = ("".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(size)) for size in (6, 16))
    return ".".join(parts)


def _read_pair(pair: JsonMap) -> CertificateAndKey:
    return CertificateAndKey(
        _decode_base64(as_text(pair.get("crt"))), _decode_base64(as_text(pair.get("key")))
    )


def _decode_base64(text: str) -> bytes:
    # Go's decoder skips line ends and names the first byte it cannot use.
    clean = text.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(clean, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretsError(
            f"illegal base64 data at input byte {_find_illegal_byte(clean)}"
        ) from error


def _find_illegal_byte(text: str) -> int:
    alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for index, char in enumerate(text):
        if char not in alphabet:
            return index
    return len(text) - len(text) % 4


def _load_authority(pair: CertificateAndKey) -> tuple[x509.Certificate, _Key]:
    if b"-----BEGIN" not in pair.crt or b"-----BEGIN" not in pair.key:
        raise SecretsError("failed to parse PEM block")
    try:
        certificate = x509.load_pem_x509_certificate(pair.crt)
        key = load_pem_private_key(pair.key.replace(_ED25519_LABEL, _PLAIN_LABEL), None)
    except ValueError as error:
        raise SecretsError(f"failed to parse certificate: {error}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise SecretsError("unsupported key type")
    return certificate, key
