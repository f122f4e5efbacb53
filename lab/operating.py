"""What an operator does by hand in a running cluster: look, deny, delete, tell Flux again."""

from __future__ import annotations

from collections.abc import Mapping

from lab.clock import LabClock
from lab.faults import Target
from lab.flux.conditions import is_ready
from lab.flux.objects import FORCE_AT, RESET_AT
from lab.flux.queue import REQUESTED_AT
from lab.kubernetes import KubernetesClient
from lab.kubernetes.controllers.cnpg_look import UNRECOVERABLE
from lab.kubernetes.controllers.requests import NODE_USER, is_pending, read_request
from lab.kubernetes.errors import UnavailableError
from lab.kubernetes.values import Object, dig, maps, name_of, text

__all__ = ["Operator"]

# Without them nothing at all would run; a rehearsal wants to see one component break.
_LEFT_OUT = frozenset({"kube-system", "flux-system", "kube-public", "default"})
_RELEASE = "helm.toolkit.fluxcd.io/v2"
_REQUEST = ("certificates.k8s.io/v1", "CertificateSigningRequest")
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_DATABASE = ("postgresql.cnpg.io/v1", "Cluster")
_RESTORE = ("volsync.backube/v1alpha1", "ReplicationDestination")
# Webhooks that judge what other components apply, the best known first.
_JUDGES = ("cert-manager", "metallb")


class Operator:
    """Somebody with an eye on one cluster."""

    def __init__(self, client: KubernetesClient, clock: LabClock) -> None:
        self._client = client
        self._clock = clock

    async def suggest_targets(self) -> Mapping[str, str]:
        """Return a target for each kind that must be given one, as far as there is any."""
        client = self._client
        found: dict[Target, str] = {}
        pods = [pod for pod in await client.list("v1", "Pod") if _is_fit(pod)]
        # The youngest namespace: the last layer, on which nothing else waits.
        pods.sort(key=lambda pod: (text(pod, "metadata", "creationTimestamp"), name_of(pod)))
        if pods:
            namespace = text(pods[-1], "metadata", "namespace")
            found[Target.POD] = f"{namespace}/"
            images = [text(one, "image") for one in maps(pods[-1], "spec", "containers")]
            found[Target.IMAGE] = images[0].partition("@")[0]
        if users := [pod for pod in pods if _has_claim(pod)]:
            found[Target.VOLUME] = f"{text(users[-1], 'metadata', 'namespace')}/"
        if await client.serves(*_RESTORE):
            restores = await client.list(*_RESTORE)
            if spaces := [text(one, "metadata", "namespace") for one in restores]:
                found[Target.RESTORE] = f"{spaces[-1]}/"
        if await client.serves(*_DATABASE):
            databases = await client.list(*_DATABASE)
            recovered = [one for one in databases if _is_recovered(one)]
            for target, ones in ((Target.DATABASE, databases), (Target.RECOVERY, recovered)):
                if ones:
                    found[target] = f"{text(ones[-1], 'metadata', 'namespace')}/"
        services = [where for kind in _WEBHOOKS for where in await _list_services(client, kind)]
        services.sort(key=lambda where: (not where.startswith(_JUDGES), where))
        if services:
            found[Target.WEBHOOK] = services[0]
        return {target.value: name for target, name in found.items()}

    async def retry_releases(self) -> int:
        """Do as `flux reconcile helmrelease --reset --force` does with all that are not ready.

        Without that, a release whose retries are exhausted stays as it is when its cause is gone.
        """
        client, at = self._client, self._clock.now().isoformat()
        try:
            if not await client.serves(_RELEASE, "HelmRelease"):
                return 0
        except UnavailableError:
            return 0  # the run never came so far
        failed = [one for one in await client.list(_RELEASE, "HelmRelease") if not is_ready(one)]
        annotations: Object = {REQUESTED_AT: at, RESET_AT: at, FORCE_AT: at}
        for one in failed:
            await client.patch(
                _RELEASE,
                "HelmRelease",
                name_of(one),
                text(one, "metadata", "namespace"),
                body={"metadata": {"annotations": {**annotations}}},
            )
        return len(failed)

    async def deny_requests(self) -> int:
        """Do as `kubectl certificate deny` does with what a kubelet asks for in another's name.

        Until then such a request stays, for a day, also when the kubelet asks for no other.
        """
        client = self._client
        try:
            asked = [one for one in await client.list(*_REQUEST) if _is_foreign(one)]
        except UnavailableError:
            return 0
        for one in asked:
            denied: Object = {"type": "Denied", "status": "True", "reason": "KubectlDeny"}
            body: Object = {"status": {"conditions": [denied]}}
            await client.patch(*_REQUEST, name_of(one), body=body, subresource="approval")
        return len(asked)

    async def delete_unrecovered(self) -> int:
        """Do as `kubectl delete` does with databases that could not be recovered, and hold nothing.

        CloudNativePG gives the Job up that should do it, and looks at its backup never again.
        """
        client = self._client
        try:
            if not await client.serves(*_DATABASE):
                return 0
            lost = [one for one in await client.list(*_DATABASE) if _is_unrecovered(one)]
        except UnavailableError:
            return 0
        for one in lost:
            await client.delete(*_DATABASE, name_of(one), text(one, "metadata", "namespace"))
        return len(lost)


def _is_fit(pod: Object) -> bool:
    owners = {text(owner, "kind") for owner in maps(pod, "metadata", "ownerReferences")}
    is_own = text(pod, "metadata", "namespace") not in _LEFT_OUT
    return is_own and bool(owners - {"Job", "Node"}) and bool(maps(pod, "spec", "containers"))


def _is_foreign(request: Object) -> bool:
    asked = read_request(request) if is_pending(request) else None
    return asked is not None and bool({*asked.names} - {asked.user.removeprefix(NODE_USER)})


def _is_unrecovered(cluster: Object) -> bool:
    is_new = not text(cluster, "status", "currentPrimary")
    return is_new and text(cluster, "status", "phase") == UNRECOVERABLE


def _is_recovered(cluster: Object) -> bool:
    return dig(cluster, "spec", "bootstrap", "recovery", "source") is not None


def _has_claim(pod: Object) -> bool:
    return any("persistentVolumeClaim" in one for one in maps(pod, "spec", "volumes"))


async def _list_services(client: KubernetesClient, kind: str) -> list[str]:
    return [
        "/".join(text(hook, "clientConfig", "service", key) for key in ("namespace", "name"))
        for configuration in await client.list("admissionregistration.k8s.io/v1", kind)
        for hook in maps(configuration, "webhooks")
        if text(hook, "failurePolicy") != "Ignore" and text(hook, "clientConfig", "service", "name")
    ]
