"""What machines drive: API servers, the VIP, kubelets that come and go, certificates."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import httpx2
import pytest
from cryptography import x509

from lab.kubernetes.controllers.bootstrap import make_open_crd
from lab.kubernetes.values import Json, Object, dig, grow, maps, name_of, number, text
from lab.ports import TalosManifests
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    PORT,
    WORKER,
    Cluster,
    condition,
    deployment,
    make_pki,
)

CSR = ("certificates.k8s.io/v1", "CertificateSigningRequest")
SECOND = replace(CONTROL_PLANE, name="cp-2", address="10.42.0.12", loopback="127.42.0.12")


async def test_declared_and_loopback_names_are_served(empty: Cluster) -> None:
    """The server's certificate carries declared, loopback and VIP addresses."""
    context = empty.client_context()
    async with httpx2.AsyncClient(verify=context) as client:
        answers = [
            await client.get(f"https://{host}:{PORT}/version")
            for host in (CONTROL_PLANE.loopback, CONTROL_PLANE.vip_loopback)
        ]

    assert [200, 200] == [answer.status_code for answer in answers]


async def test_the_vip_moves(empty: Cluster) -> None:
    """When the holder's API server stops, another control plane answers on the VIP."""
    await empty.plane.start_apiserver(SECOND)
    await empty.plane.stop_apiserver("cp-1")
    async with httpx2.AsyncClient(verify=empty.client_context()) as client:
        answer = await client.get(f"https://{CONTROL_PLANE.vip_loopback}:{PORT}/readyz")
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://{CONTROL_PLANE.loopback}:{PORT}/readyz")

    assert 200 == answer.status_code


async def test_the_vip_leaves_who_lost_its_session(empty: Cluster) -> None:
    """Another holds it from then on, also when the first may hold it again; nobody, when none may.

    Two servers tell themselves apart by their version.
    """
    await empty.plane.start_apiserver(replace(SECOND, kubelet_version="v1.36.4"))
    seen: list[str] = []
    url = f"https://{CONTROL_PLANE.vip_loopback}:{PORT}/version"
    async with httpx2.AsyncClient(verify=empty.client_context()) as client:
        for name, can_hold in (("cp-1", False), ("cp-1", True), ("cp-2", False)):
            await empty.plane.offer_vip(name, can_hold=can_hold)
            seen.append((await client.get(url)).json()["gitVersion"])
        await empty.plane.offer_vip("cp-1", can_hold=False)
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)

    assert ["v1.36.4", "v1.36.4", CONTROL_PLANE.kubelet_version] == seen


async def test_what_an_answer_leads_to_follows_from_the_server_that_gave_it(
    empty: Cluster,
) -> None:
    """Who waited for an API server, and then acts, could not have acted before it was ready."""
    await asyncio.create_task(empty.plane.start_apiserver(SECOND))
    async with httpx2.AsyncClient(verify=empty.client_context()) as client:
        url = f"https://{SECOND.loopback}:{PORT}"
        await client.get(f"{url}/readyz")
        crd = make_open_crd("lab.example", ["v1"], "Widget", "widgets")
        await client.post(f"{url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=crd)
    seen = empty.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.lab.example")
    await seen.until(lambda obj: condition(obj, "Established") == "True")

    waits = {wait.number: wait for wait in empty.ledger.waits}
    (established,) = (w for w in waits.values() if w.what == "crd widgets.lab.example established")
    assert "kube-apiserver of cp-2 ready" == waits[established.cause].what


async def test_creating_again_begins_empty(empty: Cluster) -> None:
    """A second bootstrap loses everything, and both are counted."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    await empty.client.create(space)
    await empty.plane.create(make_pki())

    assert await empty.client.find("v1", "Namespace", "web") is None
    assert 2 == empty.ledger.acts["kubernetes.create"]


async def test_a_dump_restores_what_was_there(ready: Cluster) -> None:
    """Restored data is that of the dump: custom kinds served, later changes gone, nodes Ready."""
    crd = make_open_crd("lab.example", ["v1"], "Widget", "widgets")
    await ready.client.create(crd)
    seen = ready.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.lab.example")
    await seen.until(lambda obj: condition(obj, "Established") == "True")
    widget: Object = {
        "apiVersion": "lab.example/v1",
        "kind": "Widget",
        "metadata": {"name": "kept", "namespace": "default"},
    }
    kept = await ready.client.create(widget)
    keys = ready.plane.dump()
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}
    await ready.client.create(space)

    await ready.plane.restore(ready.pki, keys)

    assert kept == await ready.client.find("lab.example/v1", "Widget", "kept", "default")
    assert await ready.client.find("v1", "Namespace", "later") is None
    assert ready.plane.is_node_ready("worker-1")
    assert "/registry/lab.example/widgets/default/kept" in {key.key for key in keys}
    assert 1 == ready.ledger.acts["kubernetes.restore"]


async def test_control_planes_show_static_pods(cluster: Cluster) -> None:
    """A control plane's static pods have mirrors with the labels that talosctl looks for."""
    pod = await cluster.see("v1", "Pod", "kube-apiserver-cp-1", "kube-system").until(
        lambda obj: condition(obj, "Ready") == "True"
    )

    assert "kube-apiserver" == text(pod, "metadata", "labels", "k8s-app")
    assert "1" == text(pod, "metadata", "annotations", "talos.dev/config-version")


async def _first_request(cluster: Cluster, node: str) -> Object:
    async for event in cluster.client.watch(*CSR):
        if text(event.object, "spec", "username") == f"system:node:{node}":
            return event.object
    raise AssertionError(node)


async def test_kubelets_ask_for_serving_certificates(cluster: Cluster) -> None:
    """A kubelet's request names itself and its declared address, as system:nodes."""
    request = await _first_request(cluster, "worker-1")
    pem = base64.b64decode(text(request, "spec", "request"))
    csr = x509.load_pem_x509_csr(pem)
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert "O=system:nodes,CN=system:node:worker-1" in {
        csr.subject.rfc4514_string(),
        ",".join(reversed(csr.subject.rfc4514_string().split(","))),
    }
    assert ["worker-1"] == names.get_values_for_type(x509.DNSName)
    assert ["10.42.0.21"] == [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    assert csr.is_signature_valid


async def test_approved_requests_are_signed(cluster: Cluster) -> None:
    """Approval through the subresource brings a certificate of the CA, and is counted."""
    request = await _first_request(cluster, "worker-1")
    approval: Json = {
        "type": "Approved",
        "status": "True",
        "reason": "test",
        "message": "declared node",
    }
    grow(request, "status")["conditions"] = [approval]
    async with httpx2.AsyncClient(base_url=cluster.url, verify=cluster.client_context()) as web:
        path = f"/apis/{CSR[0]}/certificatesigningrequests/{name_of(request)}/approval"
        answer = await web.put(path, json=request)
    signed = await cluster.see(*CSR, name_of(request)).until(
        lambda obj: bool(dig(obj, "status", "certificate"))
    )
    certificate = x509.load_pem_x509_certificate(
        base64.b64decode(text(signed, "status", "certificate"))
    )
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(cluster.pki.ca_crt))

    assert 200 == answer.status_code
    assert 1 == cluster.ledger.acts["csr.approved/worker-1"]


async def test_the_in_cluster_approver_takes_over(ready: Cluster) -> None:
    """kubelet-csr-approver, once ready, approves by itself."""
    await ready.client.apply(deployment("kubelet-csr-approver", "kube-system"), manager="m")
    request = await _first_request(ready, "cp-1")
    signed = await ready.see(*CSR, name_of(request)).until(
        lambda obj: bool(dig(obj, "status", "certificate"))
    )

    found = maps(signed, "status", "conditions")[0]
    assert ("Approved", "kubelet-serving cert validated") == (
        text(found, "type"),
        text(found, "reason"),
    )


async def test_a_reboot_is_seen(ready: Cluster) -> None:
    """A stopped kubelet makes the node NotReady; back again, its pods restart, then it is Ready."""
    await ready.plane.stop_kubelet("worker-1")
    node = ready.see("v1", "Node", "worker-1")
    down = await node.until(lambda obj: condition(obj, "Ready") == "False")
    was_ready = ready.plane.is_node_ready("worker-1")
    await ready.plane.start_kubelet(replace(WORKER, kubelet_version="v1.36.4"))
    up = await node.until(lambda obj: condition(obj, "Ready") == "True")

    assert was_ready is False
    assert "node is shutting down" in str(dig(down, "status", "conditions"))
    assert "v1.36.4" == text(up, "status", "nodeInfo", "kubeletVersion")


async def test_a_lost_node_is_seen_and_goes_on(ready: Cluster) -> None:
    """Of a node that is cut off nothing is known; found again, its pods go on as they were."""
    await ready.client.apply(deployment("web"), manager="m")
    pods = ready.see("apps/v1", "Deployment", "web", "default")
    await pods.until(lambda obj: number(obj, "status", "readyReplicas") == 1)
    await ready.plane.stop_kubelet("worker-1", is_lost=True)
    node = ready.see("v1", "Node", "worker-1")
    lost = await node.until(lambda obj: condition(obj, "Ready") == "Unknown")
    await pods.until(lambda obj: number(obj, "status", "readyReplicas") == 0)
    await ready.plane.start_kubelet(WORKER)
    await node.until(lambda obj: condition(obj, "Ready") == "True")
    await pods.until(lambda obj: number(obj, "status", "readyReplicas") == 1)
    restarts = [
        number(container, "restartCount")
        for pod in await ready.client.list("v1", "Pod")
        for container in maps(pod, "status", "containerStatuses")
    ]

    assert "Kubelet stopped posting node status." in str(dig(lost, "status", "conditions"))
    assert "node.kubernetes.io/unreachable" in str(dig(lost, "spec", "taints"))
    assert {0} == set(restarts)


async def test_logs_need_a_serving_certificate(cluster: Cluster) -> None:
    """Until a kubelet's request is approved, reading logs fails as in life."""
    path = "/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1/log"
    await cluster.see("v1", "Pod", "kube-apiserver-cp-1", "kube-system").until(lambda _: True)
    async with httpx2.AsyncClient(base_url=cluster.url, verify=cluster.client_context()) as web:
        answer = await web.get(path)

    assert 500 == answer.status_code
    assert "remote error: tls: internal error" in answer.text


async def test_logs_say_that_no_container_runs(cluster: Cluster) -> None:
    """With a certificate the kubelet answers, and has nothing to show: not an empty log."""
    path = "/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1/log"
    await cluster.see("v1", "Pod", "kube-apiserver-cp-1", "kube-system").until(lambda _: True)
    kind = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    request = next(
        one
        for one in await cluster.client.list(*kind)
        if text(one, "spec", "username") == f"system:node:{CONTROL_PLANE.name}"
    )
    approved: Object = {"type": "Approved", "status": "True", "reason": "Test", "message": "ok"}
    await cluster.client.patch(
        *kind, name_of(request), body={"status": {"conditions": [approved]}}, subresource="approval"
    )
    issued = cluster.see(*kind, name_of(request))
    await issued.until(lambda obj: bool(text(obj, "status", "certificate")))
    async with httpx2.AsyncClient(base_url=cluster.url, verify=cluster.client_context()) as web:
        answer = await web.get(path)

    assert 500 == answer.status_code
    said = answer.json()["message"]
    assert "Internal error occurred: the lab simulates pods: no container runs" in said


async def test_talos_may_bring_flannel(empty: Cluster) -> None:
    """With Talos' default CNI nodes become Ready without anybody applying anything."""
    flannel = TalosManifests(flannel_image="flannel:v1", proxy_image="kube-proxy:v1")
    await empty.plane.stop_apiserver(CONTROL_PLANE.name)
    await empty.plane.start_apiserver(replace(CONTROL_PLANE, manifests=flannel))
    await empty.plane.start_kubelet(WORKER)
    node = empty.see("v1", "Node", "worker-1")
    await node.until(lambda obj: condition(obj, "Ready") == "True")

    assert empty.plane.is_node_ready("worker-1") is True
