"""What an operator does by hand in the lab's cluster: find, deny, tell Flux again."""

from __future__ import annotations

import base64

from lab.charts.crds import make_crd, make_crds
from lab.clock import LabClock
from lab.flux.objects import RESET_AT
from lab.kubernetes.pki import make_kubelet_request
from lab.kubernetes.values import Object, maps, name_of, text
from lab.ledger import Ledger
from lab.operating import Operator
from tests.lab_kubernetes.lab_kubernetes_cluster import WORKER, Cluster, cni, deployment

NAMESPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "notes"}}
HOOK: Object = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "judge"},
    "webhooks": [
        {
            "name": "judge.lab.example",
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": "judge", "namespace": "metallb"}},
            "rules": [],
        }
    ],
}


def make_operator(cluster: Cluster) -> Operator:
    """Make one for a cluster."""
    return Operator(cluster.client, LabClock(Ledger()))


async def test_targets_are_of_the_youngest_namespace(cluster: Cluster) -> None:
    """An image and pods of what came last, and a webhook that judges others; no system pods."""
    app = deployment("notes", "notes", image="ghcr.io/example/notes:1")
    for obj in (cni(), NAMESPACE, HOOK, app):
        await cluster.client.apply(obj, manager="test")
    while not await cluster.client.list("v1", "Pod", "notes"):
        await LabClock(Ledger(), speed=1000.0).pause(1.0)

    assert {
        "pods": "notes/",
        "image": "ghcr.io/example/notes:1",
        "webhook": "metallb/judge",
    } == await make_operator(cluster).suggest_targets()


async def test_releases_that_failed_are_tried_again(cluster: Cluster) -> None:
    """Only what is not ready is told, with the annotations of `flux reconcile --reset --force`."""
    operator = make_operator(cluster)
    before = await operator.retry_releases()
    (kind,) = make_crds("helm.toolkit.fluxcd.io", ("v2",), "HelmRelease")
    await cluster.client.apply(make_crd(kind), manager="test")
    while not await cluster.client.serves("helm.toolkit.fluxcd.io/v2", "HelmRelease"):
        await LabClock(Ledger(), speed=1000.0).pause(1.0)
    release: Object = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "notes", "namespace": "default"},
        "spec": {},
    }
    await cluster.client.apply(release, manager="test")
    told = await operator.retry_releases()
    found = await cluster.client.get("helm.toolkit.fluxcd.io/v2", "HelmRelease", "notes", "default")

    assert (0, 1) == (before, told)
    assert text(found, "metadata", "annotations", RESET_AT)


async def test_requests_in_anothers_name_are_denied(cluster: Cluster) -> None:
    """What a node asks for in its own name is left for whoever approves."""
    kind = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    pem = make_kubelet_request(WORKER, ("kubernetes.default.svc",))
    await cluster.client.create(
        {
            "apiVersion": kind[0],
            "kind": kind[1],
            "metadata": {"name": "csr-foreign"},
            "spec": {
                "signerName": "kubernetes.io/kubelet-serving",
                "username": f"system:node:{WORKER.name}",
                "request": base64.b64encode(pem).decode(),
                "usages": ["digital signature", "server auth"],
            },
        }
    )
    denied = [await make_operator(cluster).deny_requests() for _ in range(2)]
    decided = {
        name_of(one): text(condition, "type")
        for one in await cluster.client.list(*kind)
        for condition in maps(one, "status", "conditions")
    }

    assert [1, 0] == denied
    assert {"csr-foreign": "Denied"} == decided
