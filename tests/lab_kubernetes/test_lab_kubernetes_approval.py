"""What the lab's kubelet-csr-approver thinks of requests, by its settings."""

from __future__ import annotations

import asyncio
import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.kubernetes.controllers.approval import IgnoredError, find_objection, read_settings
from lab.kubernetes.faults import PodFault
from lab.kubernetes.pki import make_kubelet_request
from lab.kubernetes.values import Json, Object, maps, name_of, text
from lab.ports import NodeFacts
from tests.lab_kubernetes.lab_kubernetes_cluster import WORKER, Cluster, deployment

NODE = NodeFacts("worker-1", "worker", "10.41.0.21", "127.41.0.21")
NODES = {NODE.name: NODE.address, "worker-10": "10.41.0.30"}
CSR = ("certificates.k8s.io/v1", "CertificateSigningRequest")


def ask(*also: str, user: str = "system:node:worker-1", longest_s: int = 0) -> Object:
    """A request of the node, with more names or addresses."""
    return wrap(make_kubelet_request(NODE, also), user, longest_s)


def wrap(pem: bytes, user: str = "system:node:worker-1", longest_s: int = 0) -> Object:
    """A request of Kubernetes around one of X.509."""
    spec: Object = {"username": user, "request": base64.b64encode(pem).decode()}
    if longest_s:
        spec["expirationSeconds"] = longest_s
    return {"spec": spec}


def nameless() -> bytes:
    """A request without any alternative name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:worker-1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def run(*arguments: str, **environment: str) -> Object:
    """The approver's Deployment."""
    variables: list[Json] = [{"name": key, "value": value} for key, value in environment.items()]
    container: Object = {"name": "main", "args": [*arguments], "env": variables}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


LOOSE = {"ALLOWED_DNS_NAMES": "2", "BYPASS_HOSTNAME_CHECK": "true"}
MANY = "The x509 Cert Request contains more DNS names than allowed through the config flag"
OTHER = "The SAN DNS Name in the x509 CSR is not prefixed by the node name (hostname)"
REGEX = "The SAN DNS name in the x509 CR is not allowed by the Cloud provider regex"
UNRESOLVED = "The SAN DNS Name could not be resolved, denying the CSR"


@pytest.mark.parametrize(
    ("request_", "environment", "objection"),
    [
        (ask(), {}, ""),
        (ask(), {"PROVIDER_REGEX": r"^worker-\d+$", "PROVIDER_IP_PREFIXES": "10.41.0.0/24"}, ""),
        (ask("kubernetes.default.svc"), {}, MANY),
        (ask("kubernetes.default.svc"), {"ALLOWED_DNS_NAMES": "2"}, OTHER),
        (ask("kubernetes.default.svc"), LOOSE, UNRESOLVED),
        (ask("kubernetes.default.svc"), {**LOOSE, "BYPASS_DNS_RESOLUTION": "true"}, ""),
        (ask(), {"PROVIDER_REGEX": "^control-"}, REGEX),
        (
            ask(),
            {"PROVIDER_IP_PREFIXES": "192.168.0.0/16"},
            (
                "One of the resolved IP addresses, 10.41.0.21,isn't part of the provider-specified "
                "set of whitelisted IP. denying the certificate"
            ),
        ),
        (
            ask(),
            {"PROVIDER_IP_PREFIXES": "192.168.0.0/16", "BYPASS_DNS_RESOLUTION": "true"},
            (
                "One of the SAN IP addresses, 10.41.0.21, is not partof the allowed IP "
                "Prefixes/Subnets, denying the CSR."
            ),
        ),
        (
            ask("10.41.0.5"),
            {},
            (
                "One of the SAN IP addresses, 10.41.0.5, is not contained in the set of resolved "
                "IP addresses, denying the CSR."
            ),
        ),
        (ask("10.41.0.5"), {"BYPASS_DNS_RESOLUTION": "true"}, ""),
        (
            ask(longest_s=86400),
            {"MAX_EXPIRATION_SEC": "3600"},
            "CSR spec.expirationSeconds is longer than the maximum allowed expiration second",
        ),
        (
            ask(user="system:node:worker-10"),
            {},
            "CSR username does not match the parsed x509 certificate request commonname",
        ),
        (ask(user="admin"), {}, "CSR Spec.Username is not prefixed with system:node:"),
        (
            wrap(nameless()),
            {},
            "The x509 Cert Request SAN contains neither an IP address nor a DNS name",
        ),
    ],
)
def test_requests_are_judged_by_the_settings(
    request_: Object, environment: dict[str, str], objection: str
) -> None:
    """In the order and the words of the original."""
    settings = read_settings(run(**environment))

    assert settings
    assert objection == find_objection(request_, settings, NODES)


def test_settings_come_as_flags_too() -> None:
    """A flag wins over the environment, in each way to write it."""
    given = run("-bypass-dns-resolution", "--max-expiration-sec", "60", "-provider-regex=^a", A="b")
    settings = read_settings(given)

    assert settings
    assert (True, 60, True) == (
        settings.skips_resolution,
        settings.longest_s,
        settings.names.is_in("abc"),
    )


@pytest.mark.parametrize(
    "environment",
    [{"PROVIDER_REGEX": "("}, {"PROVIDER_IP_PREFIXES": "here"}, {"MAX_EXPIRATION_SEC": "99999999"}],
)
def test_settings_that_end_the_program(environment: dict[str, str]) -> None:
    """Nothing is decided by an approver that does not come up."""
    assert read_settings(run(**environment)) is None


def test_requests_that_are_left_alone() -> None:
    """Other users, where it is said so; what cannot be read, always."""
    settings = read_settings(run(IGNORE_NON_SYSTEM_NODE="true"))

    assert settings
    for request in (ask(user="admin"), wrap(b"nonsense")):
        with pytest.raises(IgnoredError):
            find_objection(request, settings, NODES)


async def test_foreign_request_is_denied_in_the_cluster(ready: Cluster) -> None:
    """A running approver denies what the fault asks for, and says why."""
    ready.plane.set_fault(WORKER.name, PodFault.REQUEST_FOREIGN)
    for request in await ready.client.list(*CSR):
        await ready.client.delete(*CSR, name_of(request))
    await ready.client.apply(deployment("kubelet-csr-approver", "kube-system"), manager="m")
    conditions: list[Object] = []
    async with asyncio.timeout(20):
        async for event in ready.client.watch(*CSR):
            is_own = text(event.object, "spec", "username") == f"system:node:{WORKER.name}"
            conditions = maps(event.object, "status", "conditions") if is_own else []
            if conditions:
                break

    why = "CSR not complying with kubelet-csr-approver validation process. Reason: "
    assert [("Denied", "kubelet-serving cert denied", why + MANY)] == [
        tuple(text(item, key) for key in ("type", "reason", "message")) for item in conditions
    ]
