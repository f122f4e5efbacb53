"""Who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inventory.model._basics import Position
from inventory.model._flux import Layer


class EdgeKind(StrEnum):
    """Why one component waits for another."""

    DEPENDS_ON = "dependsOn"  # spec.dependsOn of a Kustomization
    RELEASE = "release"  # spec.dependsOn of a HelmRelease
    PARENT = "parent"  # a Kustomization is applied by another one
    CRD = "crd"
    SOURCE = "source"
    NAMESPACE = "namespace"
    SUBSTITUTION = "substitution"
    CLASS = "class"  # StorageClass, VolumeSnapshotClass, IngressClass, ClusterIssuer
    WEBHOOK = "webhook"  # admission webhooks that fail closed
    RANK = "rank"  # between layers: their places in the bootstrap order


@dataclass(frozen=True, slots=True)
class Edge:
    """`consumer` waits for `provider`; both are component names (or an entry's).

    Of the kind RANK both are layers, see `inventory.ranks`.

    Attributes:
        reason: Why, for people, e.g. `applies PodMonitor, whose CRD kube-prometheus-stack brings`.
        subjects: What the edge is about: kinds, a namespace, a source.
        is_declared: Whether the repository says so itself; the rest is inferred.
    """

    consumer: str
    provider: str
    kind: EdgeKind
    reason: str
    position: Position
    subjects: tuple[str, ...] = ()
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """What rendering has shown, by release id; releases that were not rendered are absent.

    Attributes:
        provided: `group/Kind` of the CRDs that a release brings.
        consumed: `group/Kind` of the custom resources inside a release.
        guarded: `group/resources` that the webhooks of a release may refuse.
    """

    provided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consumed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    guarded: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Components that wait for each other.

    Attributes:
        components: Members, sorted.
        edges: The edges between them.
        chain: One way round, first member repeated at the end.
        blocked: Components outside that wait for a member, directly or not; sorted.
    """

    components: tuple[str, ...]
    edges: tuple[Edge, ...]
    chain: tuple[str, ...]
    blocked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wave:
    """Components of one layer in an order that fits their dependencies.

    Attributes:
        layer: The layer; its own order of components is that of the build.
        components: Names, each after what it depends on, as far as that is possible.
        deferred: Those of them that the repository lists in an earlier layer, but that depend on
            something in this one.
    """

    layer: Layer
    components: tuple[str, ...]
    deferred: tuple[str, ...] = ()
