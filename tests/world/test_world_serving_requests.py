"""Which certificate requests of kubelets may be granted: only those that are certainly right."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from inventory import Node, Role
from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.serving_requests import SIGNER, judge_request, node_of

NODE = Node("cp-1", "10.0.0.11", ("10.0.0.11/24", "fd00::11"), "", Role.CONTROL_PLANE, "", {})
NAMES = (x509.DNSName("cp-1"), x509.IPAddress(ipaddress.ip_address("10.0.0.11")))
USAGES = ("digital signature", "key encipherment", "server auth")


@cache
def make_key() -> ec.EllipticCurvePrivateKey:
    """The kubelet's key; one is enough for all tests."""
    return ec.generate_private_key(ec.SECP256R1())


def make_pem(
    names: Sequence[x509.GeneralName] = NAMES,
    subject: str = "system:node:cp-1",
    organizations: Sequence[str] = ("system:nodes",),
    extension: x509.ExtensionType | None = None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> bytes:
    """A request as a kubelet makes it."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, subject))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key or make_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_request(pem: bytes, **spec: str | int | Sequence[str]) -> KubernetesObject:
    """The CertificateSigningRequest that carries it."""
    usual: JsonObject = {
        "signerName": SIGNER,
        "username": "system:node:cp-1",
        "groups": ["system:nodes", "system:authenticated"],
        "usages": list(USAGES),
        "request": base64.b64encode(pem).decode(),
    }
    return KubernetesObject({"metadata": {"name": "csr-1"}, "spec": {**usual, **spec}})


def judge(pem: bytes, **spec: str | int | Sequence[str]) -> str:
    """Say why it must not be granted; empty when it may be."""
    return judge_request(make_request(pem, **spec), NODE)


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        NAMES[:1],
        NAMES[1:],
        (*NAMES, x509.IPAddress(ipaddress.ip_address("fd00::11"))),
    ],
    ids=["usual", "name-only", "address-only", "second-address"],
)
def test_own_names_are_granted(names: Sequence[x509.GeneralName]) -> None:
    """A request for the node's own name and declared addresses is granted."""
    assert not judge(make_pem(names))
    assert not judge(make_pem(names), usages=["digital signature", "server auth"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (x509.DNSName("cp-2"), "the name is not the node's: `cp-2`"),
        (x509.DNSName("cp-1.evil.example"), "the name is not the node's: `cp-1.evil.example`"),
        (x509.DNSName("*"), "the name is not the node's: `*`"),
        (
            x509.IPAddress(ipaddress.ip_address("10.0.0.12")),
            "the address is not declared for the node: `10.0.0.12`",
        ),
        (
            x509.IPAddress(ipaddress.ip_address("10.0.0.5")),
            "the address is not declared for the node: `10.0.0.5`",
        ),
        (x509.RFC822Name("a@lab.example"), "more than names and addresses of a server"),
        (x509.UniformResourceIdentifier("spiffe://a"), "more than names and addresses"),
    ],
    ids=["other-node", "longer-name", "wildcard", "other-node's", "vip", "email", "uri"],
)
def test_other_names_are_not_granted(name: x509.GeneralName, reason: str) -> None:
    """One name too many is enough: another node's, the VIP, a mail address."""
    assert reason in judge(make_pem((*NAMES, name)))


def test_request_for_nothing_is_not_granted() -> None:
    """A certificate without any name is of no use, so something is wrong."""
    assert "it names nothing" == judge(make_pem(()))


@pytest.mark.parametrize(
    "pem",
    [
        make_pem(subject="system:node:cp-2"),
        make_pem(subject="cp-1"),
        make_pem(organizations=("system:masters",)),
        make_pem(organizations=("system:nodes", "system:masters")),
        make_pem(organizations=()),
    ],
    ids=["other-node", "no-node", "other-group", "second-group", "no-group"],
)
def test_other_subjects_are_not_granted(pem: bytes) -> None:
    """The subject is exactly the node and the group of nodes."""
    assert judge(pem).startswith("its subject is")


def test_authority_is_not_granted() -> None:
    """A request to become an authority is none of a server."""
    pem = make_pem(extension=x509.BasicConstraints(ca=True, path_length=None))

    assert "it asks for more than names and addresses of a server" == judge(pem)


def test_weak_or_strange_keys_are_not_granted() -> None:
    """A key that could be broken, or that no kubelet makes, is no server's."""
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 (on purpose)
    strange = ec.generate_private_key(ec.SECP192R1())
    usual = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert "its key is `RSA of 1024 bits`" == judge(make_pem(key=weak))
    assert "its key is `secp192r1`" == judge(make_pem(key=strange))
    assert not judge(make_pem(key=usual))


def test_key_of_somebody_else_is_not_granted() -> None:
    """Who signs must hold the key: the signature is checked."""
    request = x509.load_pem_x509_csr(make_pem())
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    text = base64.encodebytes(bytes(der)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"

    assert "its signature is not its own key's" == judge(pem.encode())


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"usages": [*USAGES, "client auth"]}, "the usages are"),
        ({"usages": ["server auth"]}, "the usages are"),
        ({"usages": []}, "the usages are"),
        ({"groups": ["system:authenticated"]}, "not in the group system:nodes"),
        ({"groups": ["system:nodes"]}, "not in the group"),
        ({"expirationSeconds": 400 * 24 * 3600}, "longer than 367 days"),
        ({"request": "bm90aGluZw=="}, "not a readable request"),
    ],
)
def test_other_requests_are_not_granted(
    spec: dict[str, str | int | Sequence[str]], reason: str
) -> None:
    """Usages, groups, duration and the request itself are as a kubelet's."""
    assert reason in judge(make_pem(), **spec)


@pytest.mark.parametrize(
    ("spec", "node"),
    [
        ({}, "cp-1"),
        ({"username": "system:serviceaccount:a:b"}, ""),
        ({"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}, ""),
    ],
    ids=["kubelet", "somebody", "other-signer"],
)
def test_whose_request_it_is(spec: dict[str, str | int | Sequence[str]], node: str) -> None:
    """Only requests of kubelets for serving are looked at; others are nobody's."""
    assert node == node_of(make_request(make_pem(), **spec))
