"""Admission webhooks: whoever registered one must be there to answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lab.kubernetes.controllers.services import has_endpoints
from lab.kubernetes.controllers.world import World, find_condition
from lab.kubernetes.durations import WEBHOOK_LAG_S
from lab.kubernetes.errors import ForbiddenError, InternalError
from lab.kubernetes.faults import WEBHOOK_FAULTS, PodFault
from lab.kubernetes.registry import Served
from lab.kubernetes.selectors import selects
from lab.kubernetes.values import (
    Object,
    at,
    labels_of,
    maps,
    namespace_of,
    number,
    text,
    texts,
)

__all__ = ["LATE_WEBHOOKS", "WEBHOOKS", "Webhooks"]

WEBHOOKS = (
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
)
# Whose CA bundle arrives some time after the pod is Ready.
LATE_WEBHOOKS = ("cert-manager-webhook",)


class Webhooks:
    """Refuses writes that a webhook should judge while its service does not answer.

    A webhook that answers agrees: what it would check or change is not simulated.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, served: Served, operation: str, obj: Object) -> None:
        """Ask every webhook that covers this write.

        Raises:
            ForbiddenError: one refuses the object, as a fault has it.
            InternalError: one does not answer, and its failure policy is Fail.
        """
        for hook in self._covering(served, operation, obj):
            if self._denies(hook):
                raise ForbiddenError(
                    f'admission webhook "{text(hook, "name")}" denied the request: '
                    "the lab was told to"
                )
            failure = self._call(hook)
            if failure and text(hook, "failurePolicy") != "Ignore":
                raise InternalError(
                    f'Internal error occurred: failed calling webhook "{text(hook, "name")}": '
                    f"failed to call webhook: {failure}"
                )

    def _covering(self, served: Served, operation: str, obj: Object) -> Iterator[Object]:
        if served.kind.group == "admissionregistration.k8s.io":
            return
        space = self._world.store.get("namespaces", "", namespace_of(obj))
        for resource in WEBHOOKS:
            for configuration in self._world.store.all(resource):
                for hook in maps(configuration, "webhooks"):
                    if (
                        any(_matches(rule, served, operation) for rule in maps(hook, "rules"))
                        and selects(hook.get("objectSelector"), labels_of(obj))
                        and (
                            space is None
                            or selects(hook.get("namespaceSelector"), labels_of(space))
                        )
                    ):
                        yield hook

    def _denies(self, hook: Object) -> bool:
        fault = self._world.faults.of_webhook(_service_of(hook))
        return fault is not None and not WEBHOOK_FAULTS[fault]

    def _call(self, hook: Object) -> str:
        """Try to reach a webhook; returns what goes wrong, "" when nothing does."""
        service = at(hook, "clientConfig", "service")
        if not service:
            return ""
        name, namespace = text(service, "name"), text(service, "namespace")
        port = number(service, "port", default=443)
        seconds = number(hook, "timeoutSeconds", default=10)
        url = f"https://{name}.{namespace}.svc:{port}{text(service, 'path')}?timeout={seconds}s"
        failure = self.examine(namespace, name)
        return f'Post "{url}": {failure}' if failure else ""

    def examine(self, namespace: str, name: str) -> str:
        """Say why the webhook behind a service does not answer, "" when it does."""
        if fault := self._world.faults.of_webhook(f"{namespace}/{name}"):
            return WEBHOOK_FAULTS[fault]
        if self._world.store.get("services", namespace, name) is None:
            return f'service "{name}" not found'
        pods = has_endpoints(self._world, namespace, name)
        if not pods:
            return f'no endpoints available for service "{name}"'
        if name in LATE_WEBHOOKS and not any(self._is_settled(pod) for pod in pods):
            return WEBHOOK_FAULTS[PodFault.WEBHOOK_UNTRUSTED]
        return ""

    def _is_settled(self, pod: Object) -> bool:
        since = text(find_condition(pod, "Ready"), "lastTransitionTime")
        if not since:
            return False
        passed = self._world.clock.now() - datetime.fromisoformat(since)
        return passed.total_seconds() >= WEBHOOK_LAG_S


def _service_of(hook: Object) -> str:
    service = at(hook, "clientConfig", "service")
    return f"{text(service, 'namespace')}/{text(service, 'name')}"


def _matches(rule: Object, served: Served, operation: str) -> bool:
    resources = {resource.partition("/")[0] for resource in texts(rule, "resources")}
    if not {served.kind.plural, "*"} & resources:
        return False
    scope = text(rule, "scope")
    if scope not in {"", "*"} and (scope == "Namespaced") != served.kind.namespaced:
        return False
    return all(
        {value, "*"} & set(texts(rule, key))
        for key, value in (("operations", operation), ("apiGroups", served.kind.group))
    )
