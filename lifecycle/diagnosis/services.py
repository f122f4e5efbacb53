"""Why a service has no address, or nobody behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import flag_at, list_at, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["explain_addressless", "explain_certificate", "explain_service", "list_silent_webhooks"]

_POOLS = ("IPAddressPool", "CiliumLoadBalancerIPPool")
_CONFIGURATIONS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def explain_service(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a service that has no endpoint, by the pods behind it."""
    if item is None:
        return scene.name_cause("not-there")
    if _has_endpoint(scene, key):
        return explain_addressless(scene, item)
    selector = object_at(item.raw, "spec", "selector")
    found = scene.explain_first(_list_behind(scene, item, selector)) if selector else None
    return (found or scene.name_cause("service-without-pods")).under(f"{key} has no endpoint")


def explain_addressless(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain a LoadBalancer service that has no address."""
    is_balanced = text_at(item.raw, "spec", "type") == "LoadBalancer"
    if not is_balanced or list_at(item.raw, "status", "loadBalancer", "ingress"):
        return None
    for said in scene.sight.tell_events(key_of(item)):
        return scene.blame(said, "address-pending").under(f"{key_of(item)}: {said}")
    has_pool = any(scene.sight.of_kind(kind) for kind in _POOLS)
    return scene.name_cause("address-pending" if has_pool else "addresses-absent")


def explain_certificate(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a Certificate by its issuer, or an issuer by what it says."""
    if item is None or item.has_condition("Ready"):
        return None
    ready = item.condition("Ready")
    said = f"{ready.reason}: {ready.message}" if ready else "not looked at yet"
    issuer = object_at(item.raw, "spec", "issuerRef")
    kind = text_at(issuer, "kind") or "Issuer"
    space = "" if kind == "ClusterIssuer" else key.namespace
    found = scene.explain(Key(kind, space, text_at(issuer, "name"))) if issuer else None
    return (found or scene.name_cause("certificate-not-issued", reason=said)).under(
        f"{key}: {said}"
    )


def list_silent_webhooks(scene: Scene) -> Iterator[Key]:
    """Yield the services of webhooks that must answer and have nobody behind them."""
    seen: set[Key] = set()
    for kind in _CONFIGURATIONS:
        for configuration in scene.sight.of_kind(kind):
            for hook in list_at(configuration.raw, "webhooks"):
                service = object_at(hook, "clientConfig", "service")
                key = Key("Service", text_at(service, "namespace"), text_at(service, "name"))
                must_answer = text_at(hook, "failurePolicy") != "Ignore"
                if service and must_answer and key not in seen and not _has_endpoint(scene, key):
                    seen.add(key)
                    yield key


def _has_endpoint(scene: Scene, key: Key) -> bool:
    for item in scene.sight.of_kind("EndpointSlice", key.namespace):
        if item.labels.get("kubernetes.io/service-name") != key.name:
            continue
        for endpoint in list_at(item.raw, "endpoints"):
            conditions = object_at(endpoint, "conditions")
            if "ready" not in conditions or flag_at(conditions, "ready"):
                return True
    return False


def _list_behind(
    scene: Scene, item: KubernetesObject, selector: Mapping[str, object]
) -> Iterator[Key]:
    """Yield the workloads whose pods a service selects, then such pods themselves."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for workload in scene.sight.of_kind(kind, item.namespace):
            labels = object_at(workload.raw, "spec", "template", "metadata", "labels")
            if selector.items() <= labels.items():
                yield key_of(workload)
    for pod in scene.sight.of_kind("Pod", item.namespace):
        if selector.items() <= dict(pod.labels).items():
            yield key_of(pod)
