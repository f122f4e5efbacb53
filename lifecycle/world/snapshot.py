"""One look at everything that layers are judged by: Flux objects, workloads, services, claims."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from inventory import Component, Release
from lifecycle.drivers.documents import list_at, number_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.databases import describe_unready
from lifecycle.world.flux_status import Readiness, State, read_kustomization, read_release
from lifecycle.world.mirror import Mirror
from lifecycle.world.restores import list_errors, read_failed_log

__all__ = ["Snapshot", "describe_workload", "is_of", "is_workload_ready", "take_snapshot"]

_WORKLOADS = (("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("apps/v1", "StatefulSet"))
_POOLS = (
    ("metallb.io/v1beta1", "IPAddressPool"),
    ("cilium.io/v2alpha1", "CiliumLoadBalancerIPPool"),
)

# What makes a Secret that pods mount, once its own controller runs.
_MAKERS = (("cert-manager.io/v1", "Certificate"), ("external-secrets.io/v1", "ExternalSecret"))

_SHOWN = 3
_FOUND_NOTHING = "No eligible snapshots found"

Items = Mapping[tuple[str, str], KubernetesObject]  # by namespace and name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Objects as they were listed; judging them asks nothing more of the API."""

    kustomizations: Items
    releases: Items
    workloads: tuple[KubernetesObject, ...]
    services: tuple[KubernetesObject, ...]
    claims: tuple[KubernetesObject, ...]
    volumes: tuple[KubernetesObject, ...]
    has_address_pools: bool
    makers: tuple[KubernetesObject, ...] = ()
    restores: tuple[KubernetesObject, ...] = ()
    databases: tuple[KubernetesObject, ...] = ()

    def judge(self, component: Component, *, commit: str) -> Readiness:
        """Judge a component: its Kustomization, then its releases, then their workloads.

        Kustomizations without `wait` are Ready as soon as they are applied, which is almost all
        of them in real repositories; so the releases and workloads are asked themselves.
        """
        live = self.kustomizations.get((component.namespace, component.name))
        own = read_kustomization(live, commit=commit if component.is_local else "")
        if not own.is_ready:
            return own
        for release in component.releases:
            readiness = self._judge_release(release)
            if not readiness.is_ready:
                return readiness
        return own

    def _judge_release(self, release: Release) -> Readiness:
        if release.suspend:
            return Readiness(State.READY, "suspended in Git")
        readiness = read_release(self.releases.get((release.namespace, release.name)))
        if not readiness.is_ready:
            return Readiness(readiness.state, f"HelmRelease {release.name}: {readiness.message}")
        for workload in self.workloads:
            if is_of(workload, release) and not is_workload_ready(workload):
                text = f"{workload.kind} {workload.name}: {describe_workload(workload)}"
                return Readiness(State.WAITING, text)
        return readiness

    def lacks_addresses(self, component: Component) -> tuple[str, ...]:
        """Name the component's LoadBalancer services that have no address."""
        return tuple(
            f"{service.namespace}/{service.name}"
            for service in self.services
            if any(is_of(service, release) for release in component.releases)
            and text_at(service.raw, "spec", "type") == "LoadBalancer"
            and not list_at(service.raw, "status", "loadBalancer", "ingress")
        )

    def lacks_secrets(self, component: Component) -> tuple[KubernetesObject, ...]:
        """Return the component's Certificates and ExternalSecrets that have made none yet."""
        return tuple(
            maker
            for maker in self.makers
            if any(is_of(maker, release) for release in component.releases)
            and not maker.has_condition("Ready")
        )

    def tell_pending_claims(self) -> tuple[str, ...]:
        """Say which claims are not bound, but those that VolSync makes for a backup and drops.

        A backup keeps no layer from working, and each one would show for a while.
        """
        return tuple(
            f"claim {item.namespace}/{item.name} is {text_at(item.raw, 'status', 'phase') or 'new'}"
            f"{self._tell_restore(item)}"
            for item in self.claims
            if text_at(item.raw, "status", "phase") != "Bound"
            and all(
                text_at(owner, "kind") != "ReplicationSource"
                for owner in list_at(item.raw, "metadata", "ownerReferences")
            )
        )

    def _tell_restore(self, claim: KubernetesObject) -> str:
        """Say that the restore which a claim waits for fails; empty when it does not."""
        source = text_at(claim.raw, "spec", "dataSourceRef", "name")
        for item in self.restores:
            if (item.namespace, item.name) != (claim.namespace, source):
                continue
            said, log = list_errors(item), read_failed_log(item)
            if said:
                return f", its restore fails: {said[0]}"
            if log is not None:
                return f", its restore fails: {log[-1] if log else 'its mover says nothing'}"
        return ""

    def list_unready_databases(self) -> tuple[str, ...]:
        """Say of CloudNativePG's Clusters that lack instances how they are."""
        return tuple(
            f"database {item.namespace}/{item.name}: {how}"
            for item in self.databases
            if (how := describe_unready(item))
        )

    def tell_empty_restores(self) -> str:
        """Name VolSync's destinations that took an empty repository for a success, if any.

        That is right for an application which never had a backup, so nothing waits for it; for
        any other it is the wrong repository, and the next backup is of nothing (backube/volsync,
        mover-restic/entry.sh).
        """
        empty = [
            f"{item.namespace}/{item.name}"
            for item in self.restores
            if _FOUND_NOTHING in text_at(item.raw, "status", "latestMoverStatus", "logs")
        ]
        more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
        said = ", ".join(empty[:_SHOWN]) + more
        return f"; restored nothing, for want of a snapshot: {said}" if empty else ""


async def take_snapshot(mirror: Mirror) -> Snapshot:
    """Look at everything, side by side; kinds that do not exist yet count as empty."""
    selections = [
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("v1", "Service"),
        ("v1", "PersistentVolumeClaim"),
        ("longhorn.io/v1beta2", "Volume"),
        ("volsync.backube/v1alpha1", "ReplicationDestination"),
        ("postgresql.cnpg.io/v1", "Cluster"),
    ]
    kinds = (selections, _WORKLOADS, _POOLS, _MAKERS)
    found = await asyncio.gather(
        *(asyncio.gather(*(mirror.list(*kind) for kind in part)) for part in kinds)
    )
    kustomizations, releases, services, claims, volumes, restores, databases = found[0]
    workloads, pools, makers = (tuple(chain.from_iterable(part)) for part in found[1:])
    return Snapshot(
        _by_name(kustomizations),
        _by_name(releases),
        workloads,
        services,
        claims,
        volumes,
        bool(pools),
        makers,
        restores,
        databases,
    )


def is_workload_ready(item: KubernetesObject) -> bool:
    """Tell whether a workload has all the replicas that its present spec wants."""
    if item.observed_generation < item.generation:
        return False
    wanted, ready = _replicas_of(item)
    return ready >= wanted


def describe_workload(item: KubernetesObject) -> str:
    """Say how many of how many are ready."""
    wanted, ready = _replicas_of(item)
    return f"{ready} of {wanted} ready"


def _replicas_of(item: KubernetesObject) -> tuple[int, int]:
    if item.kind == "DaemonSet":
        wanted = number_at(item.raw, "status", "desiredNumberScheduled")
        return wanted, number_at(item.raw, "status", "numberReady")
    given = item.spec.get("replicas")
    wanted = given if isinstance(given, int) else 1
    return wanted, number_at(item.raw, "status", "readyReplicas")


def is_of(item: KubernetesObject, release: Release) -> bool:
    """Tell whether Helm says that an object belongs to a release."""
    annotations = item.annotations
    namespace = release.target_namespace or release.namespace
    named = release.release_name or release.name
    return (
        annotations.get("meta.helm.sh/release-name") == named
        and annotations.get("meta.helm.sh/release-namespace") == namespace
    )


def _by_name(items: tuple[KubernetesObject, ...]) -> Items:
    return {(item.namespace, item.name): item for item in items}
