"""Secrets bundles: keys of the kinds that Talos uses, and an admin that the CA vouches for."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.standins.secrets_bundle import (
    SecretsError,
    issue_admin_certificate,
    make_talsecret,
    parse_bundle,
)


def test_authorities_have_talos_key_kinds() -> None:
    """The Talos API is Ed25519, Kubernetes and etcd are ECDSA P-256."""
    bundle = parse_bundle(make_talsecret())
    kinds = [
        type(x509.load_pem_x509_certificate(pair.crt).public_key())
        for pair in (bundle.os, bundle.kubernetes, bundle.etcd)
    ]

    assert issubclass(kinds[0], ed25519.Ed25519PublicKey)
    assert all(issubclass(kind, ec.EllipticCurvePublicKey) for kind in kinds[1:])
    assert bundle.os.key.startswith(b"-----BEGIN ED25519 PRIVATE KEY-----")
    assert bundle.kubernetes.key.startswith(b"-----BEGIN EC PRIVATE KEY-----")


def test_the_admin_certificate_is_an_admin_of_that_cluster() -> None:
    """Role in the organization, client authentication only, signed by the Talos CA."""
    bundle = parse_bundle(make_talsecret())
    admin = x509.load_pem_x509_certificate(issue_admin_certificate(bundle.os).crt)
    usages = admin.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    roles = admin.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)

    admin.verify_directly_issued_by(x509.load_pem_x509_certificate(bundle.os.crt))
    assert [ExtendedKeyUsageOID.CLIENT_AUTH] == list(usages)
    assert ["os:admin"] == [item.value for item in roles]


def test_two_bundles_are_two_clusters() -> None:
    """Nothing is shared, not even the cluster's id."""
    first, second = parse_bundle(make_talsecret()), parse_bundle(make_talsecret())

    assert first.cluster_id != second.cluster_id
    assert first.os.crt != second.os.crt


def test_an_authority_that_is_none_is_refused() -> None:
    """Synthetic values end in the real library's words, at the position of the first bad byte."""
    with pytest.raises(SecretsError, match="illegal base64 data at input byte 9"):
        parse_bundle("certs: {os: {crt: synthetic-crt}}")
