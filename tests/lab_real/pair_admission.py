"""What the rules of a real API server make of what is asked of it: schemas, pods, webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from lab.kubernetes.errors import ApiError, InvalidError
from lab.kubernetes.values import Object, dig, text
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, deployment

__all__ = ["ask_webhook", "be_forbidden", "be_refused", "settings"]

_MOST_ATTEMPTS = 600  # of 0.05 s; pods become ready, and the server hears of a CA bundle


def settings(name: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
    }


async def be_refused(cluster: Cluster) -> str:
    """Send what only a real API server refuses: an object against the schema of its kind."""
    wrong = deployment("wrong")
    template = dig(wrong, "spec", "template", "spec")
    assert isinstance(template, dict)
    template["containers"] = []
    with pytest.raises(InvalidError) as caught:
        await cluster.client.create(wrong)
    return caught.value.message


async def be_forbidden(cluster: Cluster) -> Sequence[str]:
    """Ask for pods that Pod Security, and a missing account, forbid."""
    container: Object = {"name": "c", "image": "x", "securityContext": {"privileged": True}}
    changes: Mapping[str, Object] = {
        "privileged": {"containers": [container]},
        "stranger": {"serviceAccountName": "nobody"},
    }
    for name, change in changes.items():
        made = deployment(name)
        spec = dig(made, "spec", "template", "spec")
        assert isinstance(spec, dict)
        spec.update(change)
        await cluster.client.create(made)
    told: dict[str, str] = {}
    async for event in cluster.client.watch("v1", "Event", "default"):
        if text(event.object, "reason") == "FailedCreate":
            owner = text(event.object, "involvedObject", "name").partition("-")[0]
            told[owner] = text(event.object, "message")
        if len(told) == 2:
            break
    for owner in told:
        await cluster.client.delete("apps/v1", "Deployment", owner, "default")
    return [told[owner] for owner in sorted(told)]


async def ask_webhook(cluster: Cluster) -> Sequence[str]:
    """Let a webhook judge: one that nobody is behind, one that agrees, one that does not."""
    service: Object = {"namespace": "default", "name": "guard"}
    rule: Object = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"]}
    hook: Object = {
        "name": "guard.example.org",
        "clientConfig": {"service": dict(service)},
        "rules": [{**rule, "resources": ["configmaps"]}],
        "objectSelector": {"matchLabels": {"guarded": "yes"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await cluster.client.create(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "guard"},
            "webhooks": [hook],
        }
    )
    await cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": service,
            "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 443}]},
        }
    )
    said, last = [await create_guarded_patiently(cluster)], ""
    body: Object = {"spec": {"selector": {"app": "web"}}}
    await cluster.client.patch("v1", "Service", "guard", "default", body=body)
    for _ in range(_MOST_ATTEMPTS):
        last = await create_guarded(cluster)
        if not last.startswith("Internal error"):
            break
        await asyncio.sleep(0.05)
    cluster.plane.set_fault("default/guard", "webhook-denies")
    return [*said, last, await create_guarded(cluster)]


async def create_guarded_patiently(cluster: Cluster) -> str:
    """Create it once the server has heard of the service."""
    refused = ""
    for _ in range(_MOST_ATTEMPTS):
        refused = await create_guarded(cluster)
        if "not found" not in refused:
            break
        await asyncio.sleep(0.05)
    return refused


async def create_guarded(cluster: Cluster) -> str:
    """Create what the webhook judges, for nothing; returns why it is refused."""
    obj = settings("guarded")
    obj["metadata"] = {"name": "guarded", "namespace": "default", "labels": {"guarded": "yes"}}
    try:
        await cluster.client.create(obj, dry_run=True)
    except ApiError as error:
        return error.message
    return ""
