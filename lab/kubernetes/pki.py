"""Certificates: the API server's own, kubelets' requests, and what the CA signs."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.ports import KubernetesPki, NodeFacts
from lab.tls import load_identity

__all__ = [
    "issue_certificate",
    "make_kubelet_request",
    "make_server_context",
    "server_names",
    "sign_request",
]

# A year, as kube-controller-manager signs by default; wall time, since TLS checks wall time.
_LIFETIME = timedelta(days=365)
# Clocks of lab clients are this machine's; the hour is Talos' own allowance.
_BACKDATED = timedelta(hours=1)


def make_server_context(pki: KubernetesPki, names: Sequence[str]) -> ssl.SSLContext:
    """Make the TLS side of one API server: its certificate, and the CA that clients must have.

    A client without a certificate gets through TLS and then 401, as with the real one.
    """
    certificate, key = issue_certificate(
        pki, "kube-apiserver", (), names=names, usages=(ExtendedKeyUsageOID.SERVER_AUTH,)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=pki.ca_crt.decode())
    load_identity(context, certificate, key)
    return context


def server_names(node: NodeFacts) -> tuple[str, ...]:
    """Every name and address that a control plane's API server certificate carries."""
    names = [
        node.address,
        node.loopback,
        node.vip,
        node.vip_loopback,
        "127.0.0.1",
        "10.96.0.1",
        node.name,
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        *node.cert_sans,
    ]
    return tuple(dict.fromkeys(name for name in names if name))


def issue_certificate(
    pki: KubernetesPki,
    user: str,
    groups: Sequence[str],
    *,
    names: Sequence[str] = (),
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
) -> tuple[bytes, bytes]:
    """Issue a certificate with CN `user` and O `groups`; returns it and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _begin(pki, _subject(user, groups), key.public_key(), usages)
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _sign(pki, builder), pem


def make_kubelet_request(node: NodeFacts, also: Sequence[str] = ()) -> bytes:
    """Make the PKCS#10 request for a kubelet's serving certificate, PEM; `also` are more names.

    Subject and names as in kubelet `pkg/kubelet/certificate/kubelet.go`.
    """
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(f"system:node:{node.name}", ("system:nodes",)))
        .add_extension(_alternatives((node.name, node.address, *also)), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM)


def sign_request(pki: KubernetesPki, request_pem: bytes) -> bytes:
    """Sign a kubelet's request with the cluster's CA; returns the certificate, PEM."""
    request = x509.load_pem_x509_csr(request_pem)
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        message = f"the key of the request is of an unknown kind: `{type(key).__name__}`"
        raise TypeError(message)
    builder = _begin(pki, request.subject, key, (ExtendedKeyUsageOID.SERVER_AUTH,))
    for extension in request.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, critical=False)
    return _sign(pki, builder)


def _subject(user: str, groups: Iterable[str]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in names])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _begin(
    pki: KubernetesPki,
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey,
    usages: Sequence[x509.ObjectIdentifier],
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    authority = x509.load_pem_x509_certificate(pki.ca_crt)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
    )


def _authority_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    for extension in authority.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)
    key = authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        message = f"the key of the CA is of an unknown kind: `{type(key).__name__}`"
        raise TypeError(message)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _sign(pki: KubernetesPki, builder: x509.CertificateBuilder) -> bytes:
    key = serialization.load_pem_private_key(pki.ca_key, password=None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        certificate = builder.sign(key, None)
    elif isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        certificate = builder.sign(key, hashes.SHA256())
    else:
        message = f"the key of the CA is of an unknown kind: `{type(key).__name__}`"
        raise TypeError(message)
    return certificate.public_bytes(serialization.Encoding.PEM)
