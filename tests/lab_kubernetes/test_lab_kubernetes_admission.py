"""Webhooks that are registered before they answer, and cert-manager's issuers."""

from __future__ import annotations

import pytest

from lab.kubernetes.controllers import webhooks
from lab.kubernetes.errors import InternalError
from lab.kubernetes.values import Object, at, dig, maps
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, condition, crd, deployment

ISSUER: Object = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "ClusterIssuer",
    "metadata": {"name": "own"},
    "spec": {"selfSigned": {}},
}


async def _install_cert_manager(cluster: Cluster) -> None:
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}
    await cluster.client.apply(space, manager="m")
    definition = crd("clusterissuers", "ClusterIssuer", "cert-manager.io")
    at(definition, "spec")["scope"] = "Cluster"
    await cluster.client.apply(definition, manager="m")
    for name in ("cert-manager", "cert-manager-webhook"):
        await cluster.client.apply(deployment(name, "cert-manager"), manager="m")
    where: Object = {"name": "cert-manager-webhook", "namespace": "cert-manager"}
    await cluster.client.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": dict(where),
            "spec": {"selector": {"app": "cert-manager-webhook"}, "ports": [{"port": 443}]},
        },
        manager="m",
    )
    await cluster.client.apply(_webhook(where), manager="m")
    name = "clusterissuers.cert-manager.io"
    await cluster.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", name).until(
        lambda obj: condition(obj, "Established") == "True"
    )


def _webhook(service: Object, policy: str = "Fail") -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "cert-manager-webhook"},
        "webhooks": [
            {
                "name": "webhook.cert-manager.io",
                "failurePolicy": policy,
                "timeoutSeconds": 30,
                "clientConfig": {"service": {**service, "path": "/validate"}},
                "rules": [
                    {
                        "apiGroups": ["cert-manager.io"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["*/*"],
                    }
                ],
            }
        ],
    }


async def test_a_webhook_without_pods_refuses(cluster: Cluster) -> None:
    """Creating what a webhook covers fails, in the real words, while nobody stands behind it."""
    await _install_cert_manager(cluster)

    with pytest.raises(
        InternalError,
        match=r'Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed '
        r'to call webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate'
        r'\?timeout=30s": no endpoints available for service "cert-manager-webhook"',
    ):
        await cluster.client.apply(ISSUER, manager="m", dry_run=True)


async def test_an_ignored_webhook_may_be_away(cluster: Cluster) -> None:
    """With failurePolicy Ignore nothing is refused."""
    await _install_cert_manager(cluster)
    service: Object = {"name": "cert-manager-webhook", "namespace": "cert-manager"}
    await cluster.client.apply(_webhook(service, "Ignore"), manager="m", force=True)

    made = await cluster.client.apply(ISSUER, manager="m")

    assert "own" == dig(made, "metadata", "name")


async def test_ready_comes_before_answering(
    ready: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cert-manager's webhook is Ready a little before its certificate is trusted."""
    monkeypatch.setattr(webhooks, "WEBHOOK_LAG_S", 1e9)
    await _install_cert_manager(ready)
    await ready.see("apps/v1", "Deployment", "cert-manager-webhook", "cert-manager").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )

    with pytest.raises(InternalError, match="certificate signed by unknown authority"):
        await ready.client.apply(ISSUER, manager="m")


async def test_issuers_become_ready(ready: Cluster) -> None:
    """Once the controller runs and the webhook answers, an issuer is Ready."""
    await _install_cert_manager(ready)
    service: Object = {"name": "cert-manager-webhook", "namespace": "cert-manager"}
    await ready.client.apply(_webhook(service, "Ignore"), manager="m", force=True)
    await ready.client.apply(ISSUER, manager="m")
    issuer = await ready.see("cert-manager.io/v1", "ClusterIssuer", "own").until(
        lambda obj: condition(obj, "Ready") == "True"
    )

    assert 1 == len(maps(issuer, "status", "conditions"))
