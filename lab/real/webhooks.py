"""The cluster's webhooks as the lab's own, and the CA bundles that let an API server trust them."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from lab.kubernetes.controllers.webhooks import WEBHOOKS, Webhooks
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import WEBHOOK_LAG_S
from lab.kubernetes.serving import is_serving
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, at, grow, maps, name_of, namespace_of, text
from lab.real.door import NO_CERTIFICATE, Answer
from lab.real.kubelets import KUBELET_PORT, find_node

__all__ = ["CaInjector", "judge_address"]


class CaInjector:
    """Gives each webhook that answers the CA of who answers for it, as its operator would.

    Until then it has what its chart gives it, which is often nothing.
    """

    resources = frozenset({*WEBHOOKS, "endpointslices.discovery.k8s.io"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._webhooks = Webhooks(world)

    def places(self, change: Change) -> Iterable[Place]:
        """A configuration; all of them when somebody becomes ready."""
        if change.resource in WEBHOOKS:
            yield change.place
            return
        for resource in WEBHOOKS:
            for configuration in self._world.store.all(resource):
                yield Place(resource, "", name_of(configuration))

    def reconcile(self, place: Place) -> None:
        """Put the bundle into what answers, and look again at what does not yet."""
        pki, configuration = self._world.pki, self._world.find(place)
        if pki is None or configuration is None:
            return
        bundle = base64.b64encode(pki.ca_crt).decode()
        waiting = [
            hook
            for hook in maps(configuration, "webhooks")
            if (service := at(hook, "clientConfig", "service"))
            and self._webhooks.examine(text(service, "namespace"), text(service, "name"))
        ]
        names = {text(hook, "name") for hook in waiting}

        def change(obj: Object) -> None:
            for hook in maps(obj, "webhooks"):
                if at(hook, "clientConfig", "service") and text(hook, "name") not in names:
                    grow(hook, "clientConfig")["caBundle"] = bundle

        self._world.edit(place, change)
        if waiting:
            key = f"ca/{place.resource}/{place.name}"
            self._world.expire(key, WEBHOOK_LAG_S / 2, lambda: self._world.queue(self, place))


def judge_address(world: World, dialled: str) -> Answer:
    """Tell how what a server dials answers: the webhook of a service, or a kubelet."""
    address, _, port = dialled.rpartition(":")
    if port == KUBELET_PORT and (node := find_node(world, address)):
        if node not in world.nodes:
            return Answer(failure="connection refused")
        failure = "" if is_serving(world.store, node) else NO_CERTIFICATE
        return Answer(node, failure, is_kubelet=True)
    webhooks = Webhooks(world)
    for service in world.store.all("services"):
        if text(service, "spec", "clusterIP") == address:
            namespace, name = namespace_of(service), name_of(service)
            fault = world.faults.of_webhook(f"{namespace}/{name}")
            failure = webhooks.examine(namespace, name)
            return Answer(
                f"{name}.{namespace}.svc", failure, denies=fault is not None and not failure
            )
    return Answer(failure="no route to host")
