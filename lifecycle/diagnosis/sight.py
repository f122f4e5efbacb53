"""One look at everything in the cluster that a cause may be found in."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lifecycle.diagnosis.values import Key, key_of
from lifecycle.drivers.documents import list_at, text_at
from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject, Selection
from lifecycle.errors import ApiError, NotFoundError

__all__ = ["Sight", "make_sight", "take_sight"]

# Secrets and ConfigMaps are left out on purpose: whoever lacks one says so itself, and their
# contents have no business here. CRDs are left out for their size.
_KINDS: Final = (
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository"),
    ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository"),
    ("source.toolkit.fluxcd.io/v1", "HelmChart"),
    ("source.toolkit.fluxcd.io/v1", "Bucket"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "Node"),
    ("v1", "Event"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("metallb.io/v1beta1", "IPAddressPool"),
    ("cilium.io/v2alpha1", "CiliumLoadBalancerIPPool"),
    ("longhorn.io/v1beta2", "Volume"),
    ("volsync.backube/v1alpha1", "ReplicationDestination"),
    ("postgresql.cnpg.io/v1", "Cluster"),
    ("cert-manager.io/v1", "Certificate"),
    ("cert-manager.io/v1", "Issuer"),
    ("cert-manager.io/v1", "ClusterIssuer"),
)
_AT_ONCE = 8  # arbitrary: hides the round trip without crowding a small API server


@dataclass(frozen=True, slots=True)
class Sight:
    """Objects as they were listed; asking it costs nothing.

    `unseen` tells what could not be listed, and why.
    """

    items: Mapping[Key, KubernetesObject]
    unseen: tuple[str, ...] = ()
    _kinds: Mapping[str, Sequence[KubernetesObject]] = field(default_factory=dict, repr=False)
    _owned: Mapping[str, Sequence[KubernetesObject]] = field(default_factory=dict, repr=False)
    _events: Mapping[Key, Sequence[KubernetesObject]] = field(default_factory=dict, repr=False)

    def find(self, key: Key) -> KubernetesObject | None:
        """Return an object, None when it is not there."""
        return self.items.get(key)

    def of_kind(self, kind: str, namespace: str = "") -> tuple[KubernetesObject, ...]:
        """Return the objects of a kind, of one namespace or of all."""
        found = self._kinds.get(kind, ())
        return tuple(item for item in found if namespace in {"", item.namespace})

    def owned_by(self, item: KubernetesObject, kind: str) -> tuple[KubernetesObject, ...]:
        """Return the objects of a kind that name `item` as their owner."""
        return tuple(o for o in self._owned.get(item.uid, ()) if o.kind == kind)

    def tell_events(self, key: Key, *, normal: bool = False) -> tuple[str, ...]:
        """Return what events say about an object, as `Reason: message`, newest first.

        Warnings only, unless `normal`: some controllers complain in normal events.
        """
        return tuple(
            f"{text_at(event.raw, 'reason')}: {text_at(event.raw, 'message')}"
            for event in self._events.get(key, ())
            if normal or text_at(event.raw, "type") == "Warning"
        )

    def find_talked_about(self, kind: str, namespace: str) -> tuple[Key, ...]:
        """Return objects of a kind that events speak about, gone ones too, newest first."""
        keys = (key for key in self._events if (key.kind, key.namespace) == (kind, namespace))
        return tuple(sorted(keys, key=lambda key: _time_of(self._events[key][0]), reverse=True))


def make_sight(items: Iterable[KubernetesObject], unseen: tuple[str, ...] = ()) -> Sight:
    """Sort objects by what they will be asked for."""
    by_key: dict[Key, KubernetesObject] = {}
    kinds: defaultdict[str, list[KubernetesObject]] = defaultdict(list)
    owned: defaultdict[str, list[KubernetesObject]] = defaultdict(list)
    events: defaultdict[Key, list[KubernetesObject]] = defaultdict(list)
    for item in items:
        if item.kind == "Event":
            events[_subject_of(item)].append(item)
            continue
        by_key[key_of(item)] = item
        kinds[item.kind].append(item)
        for owner in list_at(item.raw, "metadata", "ownerReferences"):
            owned[text_at(owner, "uid")].append(item)
    for about in events.values():
        about.sort(key=_time_of, reverse=True)
    return Sight(by_key, unseen, kinds, owned, events)


async def take_sight(api: Kubernetes) -> Sight:
    """List everything once; kinds that do not exist count as empty, others that fail as unseen.

    Raises:
        ApiError: nothing at all could be listed.
    """
    limit = asyncio.Semaphore(_AT_ONCE)
    unseen: list[str] = []
    errors: list[ApiError] = []

    async def look(api_version: str, kind: str) -> tuple[KubernetesObject, ...]:
        async with limit:
            try:
                return (await api.list(Selection(api_version, kind))).items
            except NotFoundError:
                return ()
            except ApiError as error:
                unseen.append(f"{kind} objects: {error.message}")
                errors.append(error)
                return ()

    parts = await asyncio.gather(*(look(*kind) for kind in _KINDS))
    if errors and not any(parts):
        raise errors[0]
    return make_sight((item for part in parts for item in part), tuple(unseen))


def _subject_of(event: KubernetesObject) -> Key:
    return Key(
        text_at(event.raw, "involvedObject", "kind"),
        text_at(event.raw, "involvedObject", "namespace"),
        text_at(event.raw, "involvedObject", "name"),
    )


def _time_of(event: KubernetesObject) -> str:
    """Return when an event was last seen, RFC 3339; new events carry `eventTime` only."""
    return (
        text_at(event.raw, "lastTimestamp")
        or text_at(event.raw, "series", "lastObservedTime")
        or text_at(event.raw, "eventTime")
        or event.created_at
    )
