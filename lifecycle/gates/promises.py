"""Gate: a layer keeps its promises: webhooks answer, claims are bound, databases are up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from inventory import Release
from lifecycle.drivers.documents import JsonObject, list_at, text_at
from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.errors import ApiError, NotFoundError
from lifecycle.world import World
from lifecycle.world.later import find_left_for_later
from lifecycle.world.layers import LayerScope
from lifecycle.world.mirror import Mirror
from lifecycle.world.snapshot import Snapshot, is_of, take_snapshot

__all__ = ["LayerKeepsPromises"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class LayerKeepsPromises:
    """Ready is not working: cert-manager says ready before its webhook answers.

    Asked after each layer: admission webhooks of what is installed have endpoints (but of what is
    left for a later layer), cert-manager takes an Issuer in a dry run, claims are bound, Longhorn's
    attached volumes are healthy, CloudNativePG's databases have all of their instances, and
    LoadBalancer services of the awaited components have an address once there are pools.
    """

    world: World
    scope: LayerScope
    deferrable: bool = False
    after: tuple[str, ...] = ()
    patience: Patience = Patience(stall=timedelta(minutes=15), deadline=timedelta(hours=1))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"layer-keeps-promises/{self.scope.layer.name}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Check what layer {self.scope.layer.name} promises"

    async def probe(self) -> Answer:
        """Collect what is not kept yet."""
        api, mirror = await self.world.access.api(), self.world.access.mirror
        mirror.note_look(self.name)
        snapshot = await take_snapshot(mirror)
        broken = [
            *await _find_silent_webhooks(mirror, self._find_left(snapshot)),
            *await _ask_cert_manager(api, snapshot),
            *snapshot.tell_pending_claims(),
            *_find_unhealthy_volumes(snapshot),
            *snapshot.list_unready_databases(),
            *self._find_addressless(snapshot),
        ]
        if broken:
            more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
            return Needed("; ".join(broken[:_SHOWN]) + more)
        return Satisfied(_describe(snapshot))

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

    def _find_left(self, snapshot: Snapshot) -> list[Release]:
        """Return the releases of what cannot be ready before a later layer has come."""
        if not self.deferrable:
            return []
        inventory = self.world.inventory
        left = find_left_for_later(inventory, inventory.components, snapshot)
        return [release for release in inventory.releases if release.component in left]

    def _find_addressless(self, snapshot: Snapshot) -> list[str]:
        if not snapshot.has_address_pools:
            return []
        return [
            f"service {name} has no address"
            for component in self.scope.awaited
            for name in snapshot.lacks_addresses(component)
        ]


async def _find_silent_webhooks(mirror: Mirror, excused: Sequence[Release]) -> list[str]:
    """Name webhook services without a ready endpoint; `failurePolicy: Ignore` harms nobody."""
    services: set[tuple[str, str]] = set()
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for item in await mirror.list("admissionregistration.k8s.io/v1", kind):
            if any(is_of(item, release) for release in excused):
                continue
            services |= {
                (
                    text_at(hook, "clientConfig", "service", "namespace"),
                    text_at(hook, "clientConfig", "service", "name"),
                )
                for hook in list_at(item.raw, "webhooks")
                if text_at(hook, "failurePolicy") != "Ignore"
            }
    services.discard(("", ""))
    if not services:
        return []
    slices = await mirror.list("discovery.k8s.io/v1", "EndpointSlice")
    answering = {
        (s.namespace, s.labels.get("kubernetes.io/service-name", "")) for s in slices if _serves(s)
    }
    return [f"webhook {ns}/{name} has no endpoint" for ns, name in sorted(services - answering)]


def _serves(item: KubernetesObject) -> bool:
    """Tell whether an EndpointSlice has an endpoint that is ready (missing means ready)."""
    for endpoint in list_at(item.raw, "endpoints"):
        conditions = endpoint.get("conditions") if isinstance(endpoint, dict) else None
        if not isinstance(conditions, dict) or conditions.get("ready") is not False:
            return True
    return False


async def _ask_cert_manager(api: Kubernetes, snapshot: Snapshot) -> list[str]:
    """Let cert-manager's webhook judge an Issuer without creating it."""
    if not any(_is_webhook_of_cert_manager(item) for item in snapshot.workloads):
        return []  # only its CRDs are here yet, if at all
    issuer: JsonObject = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "talos-lifecycle-probe", "namespace": "default"},
        "spec": {"selfSigned": {}},
    }
    try:
        await api.apply(issuer, dry_run=True)
    except NotFoundError:
        return []
    except ApiError as error:
        return [f"cert-manager refuses an Issuer: {error.message}"]
    return []


def _is_webhook_of_cert_manager(item: KubernetesObject) -> bool:
    is_webhook = item.labels.get("app.kubernetes.io/name") == "webhook"
    return item.kind == "Deployment" and is_webhook and "cert-manager" in item.name


def _find_unhealthy_volumes(snapshot: Snapshot) -> list[str]:
    """Name attached Longhorn volumes that are not healthy (longhorn.io/v1beta2 VolumeStatus)."""
    return [
        f"volume {item.name} is {text_at(item.raw, 'status', 'robustness') or 'unknown'}"
        for item in snapshot.volumes
        if text_at(item.raw, "status", "state") == "attached"
        and text_at(item.raw, "status", "robustness") != "healthy"
    ]


def _describe(snapshot: Snapshot) -> str:
    addressed = sum(
        bool(list_at(item.raw, "status", "loadBalancer", "ingress")) for item in snapshot.services
    )
    databases = f"{len(snapshot.databases)} databases up, " if snapshot.databases else ""
    return (
        f"{len(snapshot.claims)} claims bound, {len(snapshot.volumes)} volumes healthy, {databases}"
        f"{addressed} services with an address{snapshot.tell_empty_restores()}"
    )
