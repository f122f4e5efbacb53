"""What faults can strike in a cluster that runs: an image, pods and a webhook that matter to it."""

from __future__ import annotations

from collections.abc import Mapping

from lab.faults import Target
from lab.kubernetes import KubernetesClient
from lab.kubernetes.values import Object, maps, name_of, text

__all__ = ["suggest_targets"]

# Without them nothing at all would run; a rehearsal wants to see one component break.
_LEFT_OUT = frozenset({"kube-system", "flux-system", "kube-public", "default"})
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
# Webhooks that judge what other components apply, the best known first.
_JUDGES = ("cert-manager", "metallb")


async def suggest_targets(client: KubernetesClient) -> Mapping[Target, str]:
    """Return a target for each kind that must be given one, as far as the cluster has any."""
    found: dict[Target, str] = {}
    pods = [pod for pod in await client.list("v1", "Pod") if _is_fit(pod)]
    # The youngest namespace: the last layer, on which nothing else waits.
    pods.sort(key=lambda pod: (text(pod, "metadata", "creationTimestamp"), name_of(pod)))
    if pods:
        namespace = text(pods[-1], "metadata", "namespace")
        found[Target.POD] = f"{namespace}/"
        images = [text(one, "image") for one in maps(pods[-1], "spec", "containers")]
        found[Target.IMAGE] = images[0].partition("@")[0]
    services = [where for kind in _WEBHOOKS for where in await _list_services(client, kind)]
    services.sort(key=lambda where: (not where.startswith(_JUDGES), where))
    if services:
        found[Target.WEBHOOK] = services[0]
    return found


def _is_fit(pod: Object) -> bool:
    owners = {text(owner, "kind") for owner in maps(pod, "metadata", "ownerReferences")}
    is_own = text(pod, "metadata", "namespace") not in _LEFT_OUT
    return is_own and bool(owners - {"Job", "Node"}) and bool(maps(pod, "spec", "containers"))


async def _list_services(client: KubernetesClient, kind: str) -> list[str]:
    return [
        "/".join(text(hook, "clientConfig", "service", key) for key in ("namespace", "name"))
        for configuration in await client.list("admissionregistration.k8s.io/v1", kind)
        for hook in maps(configuration, "webhooks")
        if text(hook, "failurePolicy") != "Ignore" and text(hook, "clientConfig", "service", "name")
    ]
