"""What the lab's other approvers think of requests, and what Talos' cloud manager does to nodes."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.kubernetes.controllers.cert_approver import judge_by_cert_approver
from lab.kubernetes.controllers.cloud_manager import judge_by_cloud_manager, runs_controller
from lab.kubernetes.controllers.requests import Verdict
from lab.kubernetes.faults import PodFault
from lab.kubernetes.values import Json, Object, at, maps, name_of, text
from tests.lab_kubernetes.lab_kubernetes_cluster import WORKER, Cluster, cni, condition, deployment

CSR = ("certificates.k8s.io/v1", "CertificateSigningRequest")
USAGES = ("digital signature", "server auth")
GROUPS = ("system:nodes", "system:authenticated")
NODE: Object = {
    "metadata": {"annotations": {"alpha.kubernetes.io/provided-node-ip": "10.42.0.21,fd00::21"}},
    "status": {"addresses": [{"type": "InternalIP", "address": "10.42.0.22"}]},
}
DNS, WORKER_IP = x509.DNSName("worker-1"), "10.42.0.21"
MAIL, URI = x509.RFC822Name("a@b.example"), x509.UniformResourceIdentifier("spiffe://x")


def ask(
    *names: x509.GeneralName,
    common: str = "system:node:worker-1",
    organization: str = "system:nodes",
    user: str = "system:node:worker-1",
    groups: Sequence[str] = GROUPS,
    usages: Sequence[str] = USAGES,
) -> Object:
    """A pending request for a serving certificate."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        request = request.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM)
    spec: Object = {
        "username": user,
        "groups": [*groups],
        "usages": [*usages],
        "request": base64.b64encode(pem).decode(),
    }
    return {"metadata": {"name": "csr-1"}, "spec": spec}


def address(value: str) -> x509.IPAddress:
    """An address as an alternative name."""
    return x509.IPAddress(ipaddress.ip_address(value))


GOOD = ask(DNS, address(WORKER_IP))
API = x509.DNSName("kubernetes.default.svc")
DENIED = "This CSR was denied by Talos Cloud Controller Manager, Reason: "


@pytest.mark.parametrize(
    ("request_", "objection"),
    [
        (ask(DNS, MAIL), "emailAddress and URI subjectAltName extensions are forbidden"),
        (ask(DNS, URI), "emailAddress and URI subjectAltName extensions are forbidden"),
        (ask(), "either DNS Names or IP Addresses is missing"),
        (ask(DNS, organization="others"), "organization does not match"),
        (ask(DNS, common="worker-1"), "x509 Common Name does not start with 'system:node'"),
        (
            ask(DNS, user="system:node:worker-2"),
            "x509 Common Name does not match with Certificate Signing Request Username",
        ),
        (ask(DNS, usages=(*USAGES, "client auth")), "key usage does not match"),
    ],
)
def test_cert_approver_leaves_what_does_not_conform(request_: Object, objection: str) -> None:
    """It says so in an event, never in a condition: the request stays pending."""
    said = f"Unable to recognize the Certificate Signing Request: csr-1): {objection}"

    assert Verdict(event=("ApproveFailed", said), is_warning=True) == judge_by_cert_approver(
        request_
    )


def test_cert_approver_asks_who_may_ask() -> None:
    """Whoever is no node may ask for no certificate."""
    verdict = judge_by_cert_approver(ask(DNS, groups=("system:authenticated",)))

    assert verdict is not None
    assert ("", True) == (verdict.kind, verdict.is_warning)
    assert "Node is not authorized" in verdict.event[1]


@pytest.mark.parametrize("request_", [GOOD, ask(API), ask(address("192.0.2.1")), ask(DNS, API)])
def test_cert_approver_grants_a_node_any_name(request_: Object) -> None:
    """Names and addresses are not compared with the node's, as in the real one."""
    verdict = judge_by_cert_approver(request_)

    assert verdict is not None
    assert ("Approved", "Approved by Kubelet Serving Certificate Approver") == (
        verdict.kind,
        verdict.reason,
    )


@pytest.mark.parametrize(
    ("request_", "objection"),
    [
        (ask(), "DNS or IP subjectAltName is required"),
        (ask(DNS, API), "DNS subjectAltNames are not allowed"),
        (ask(DNS, MAIL), "email subjectAltNames are not allowed"),
        (ask(DNS, URI), "URI subjectAltNames are not allowed"),
        (ask(DNS, organization="others"), "subject organization is not system:nodes"),
        (ask(DNS, common="worker-1"), "subject common name does not begin with system:node: "),
        (ask(DNS, usages=("server auth",)), "key usage does not match"),
        (ask(DNS, usages=(*USAGES, "client auth")), "key usage does not match"),
    ],
)
def test_cloud_manager_denies_in_its_words(request_: Object, objection: str) -> None:
    """In the order of the original."""
    wanted = Verdict("Denied", "Denied by TalosCloudControllerManager", DENIED + objection)

    assert wanted == judge_by_cloud_manager(request_, NODE)


@pytest.mark.parametrize(
    "request_",
    [
        GOOD,
        ask(DNS, address("10.42.0.22")),
        ask(DNS, address("fd00::21")),
        ask(DNS),
        ask(DNS, x509.DNSName("another"), common="system:node:worker-2"),
    ],
)
def test_cloud_manager_approves_the_addresses_of_a_node(request_: Object) -> None:
    """Those that its kubelet told and those of its status; further names are not compared."""
    verdict = judge_by_cloud_manager(request_, NODE)

    assert verdict is not None
    assert ("Approved", "Approved by TalosCloudControllerManager") == (verdict.kind, verdict.reason)


def test_cloud_manager_leaves_the_rest_pending() -> None:
    """Foreign addresses, unknown nodes, other users, addresses without a name."""
    foreign = ask(DNS, address("10.42.0.99"))

    assert [None] * 4 == [
        judge_by_cloud_manager(foreign, NODE),
        judge_by_cloud_manager(GOOD, None),
        judge_by_cloud_manager(ask(DNS, user="admin"), NODE),
        judge_by_cloud_manager(ask(address(WORKER_IP)), NODE),
    ]


def manager(*arguments: str) -> Object:
    """The cloud manager's Deployment."""
    made = deployment("talos-ccm", "kube-system", image="x/talos-cloud-controller-manager:v1.12.0")
    spec = at(made, "spec", "template", "spec")
    maps(spec, "containers")[0]["args"] = [*arguments]
    tolerated: list[Json] = [{"operator": "Exists"}]
    spec["tolerations"] = tolerated
    return made


@pytest.mark.parametrize(
    ("arguments", "approves", "initializes"),
    [
        ((), False, True),
        (("--controllers=*",), False, True),
        (("--controllers=cloud-node,node-csr-approval",), True, True),
        (("--controllers=cloud-node",), False, True),
        (("--controllers=certificatesigningrequest-approving-controller",), True, False),
        (("--controllers=*,-cloud-node",), False, False),
    ],
)
def test_controllers_are_switched_by_flags(
    arguments: tuple[str, ...], *, approves: bool, initializes: bool
) -> None:
    """Approving is off by default; aliases and the asterisk count as in Kubernetes."""
    workload = manager(*arguments)

    assert approves == runs_controller(workload, "node-csr-approval")
    assert initializes == runs_controller(workload, "cloud-node")


async def test_nodes_wait_for_the_cloud_manager(empty: Cluster) -> None:
    """With an external cloud, nothing ordinary is placed until it initializes the node."""
    await empty.client.apply(cni(), manager="test")
    await empty.plane.start_kubelet(replace(WORKER, has_external_cloud=True))
    node = empty.see("v1", "Node", WORKER.name)
    waiting = await node.until(lambda obj: condition(obj, "Ready") == "True")
    await empty.client.apply(deployment("web"), manager="m")
    web = empty.see("apps/v1", "Deployment", "web", "default")
    await empty.client.apply(manager("--controllers=cloud-node"), manager="m")
    done = await node.until(lambda obj: bool(text(obj, "spec", "providerID")))
    await web.until(lambda obj: at(obj, "status").get("readyReplicas") == 1)
    await empty.plane.start_kubelet(replace(WORKER, has_external_cloud=True))
    again = await node.until(lambda obj: bool(text(obj, "spec", "providerID")))

    assert "node.cloudprovider.kubernetes.io/uninitialized" in str(at(waiting, "spec"))
    assert "talos://metal/10.42.0.21" == text(done, "spec", "providerID")
    assert "metal" == at(done, "metadata", "labels")["node.cloudprovider.kubernetes.io/platform"]
    assert "uninitialized" not in str(at(again, "spec"))


async def wait_for_verdict(cluster: Cluster) -> list[tuple[str, str]]:
    """Wait until a request of the worker that names the API server is decided."""
    cluster.plane.set_fault(WORKER.name, PodFault.REQUEST_FOREIGN)
    for request in await cluster.client.list(*CSR):
        await cluster.client.delete(*CSR, name_of(request))
    async with asyncio.timeout(20):
        async for event in cluster.client.watch(*CSR):
            own = text(event.object, "spec", "username") == f"system:node:{WORKER.name}"
            found = maps(event.object, "status", "conditions") if own else []
            if found:
                return [(text(item, "type"), text(item, "reason")) for item in found]
    raise AssertionError


async def test_cloud_manager_denies_in_the_cluster(ready: Cluster) -> None:
    """A running one denies what the fault asks for."""
    await ready.client.apply(manager("--controllers=node-csr-approval"), manager="m")

    assert [("Denied", "Denied by TalosCloudControllerManager")] == await wait_for_verdict(ready)


async def test_cert_approver_approves_in_the_cluster(ready: Cluster) -> None:
    """A running one grants a node the name of the API server, and tells it in an event."""
    name = "kubelet-serving-cert-approver"
    await ready.client.apply(deployment(name, image=f"x/{name}:main"), manager="m")
    verdict = await wait_for_verdict(ready)
    events = {text(event, "reason") for event in await ready.client.list("v1", "Event")}

    assert [("Approved", "Approved by Kubelet Serving Certificate Approver")] == verdict
    assert "Approved" in events
