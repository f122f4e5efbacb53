"""What Flux applies: sources, releases, components, layers, entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inventory.model._basics import JsonObject, Position
from inventory.model._objects import ObjectRef, SourceKey
from inventory.model._variables import SubstituteSource


@dataclass(frozen=True, slots=True)
class Source:
    """A Flux source that the repository declares live.

    Attributes:
        type: HelmRepository's `spec.type` (`oci` or empty for plain HTTP).
        ref: `spec.ref` (branch, tag, digest, semver ...).
        object: The whole object, as it is applied.
        component: Name of the component or entry that applies it.
    """

    key: SourceKey
    url: str
    type: str
    ref: JsonObject = field(hash=False)
    secret: str = ""
    suspend: bool = False
    component: str = ""
    is_used: bool = False
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def kind(self) -> str:
        """Kind of the source, e.g. `OCIRepository`."""
        return self.key.kind

    @property
    def namespace(self) -> str:
        """Namespace of the source."""
        return self.key.namespace

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.key.name


@dataclass(frozen=True, slots=True)
class ValuesReference:
    """One item of a HelmRelease's `valuesFrom`."""

    kind: str
    name: str
    values_key: str = "values.yaml"
    target_path: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """One HelmRelease.

    Attributes:
        chart: Chart name; for an OCIRepository the last element of its URL.
        version: Chart version as written; for an OCIRepository its tag, semver or digest.
        values: `spec.values` before substitution.
        install_crds: `install.crds` (empty: Flux' default Create).
        retries: `install.remediation.retries`; 0 when absent, as in Flux.
        component: Name of the component that applies it.
        raw: The HelmRelease object before substitution.
    """

    name: str
    namespace: str
    chart: str
    version: str
    source: SourceKey
    is_chart_ref: bool
    values: JsonObject = field(hash=False, repr=False)
    values_from: tuple[ValuesReference, ...] = ()
    target_namespace: str = ""
    release_name: str = ""
    timeout: str = ""
    interval: str = ""
    install_crds: str = ""
    upgrade_crds: str = ""
    create_namespace: bool = False
    retries: int = 0
    suspend: bool = False
    depends_on: tuple[tuple[str, str], ...] = ()  # (namespace, name)
    component: str = ""
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def id(self) -> str:
        """`namespace/name` of the HelmRelease object."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Component:
    """What one Flux Kustomization applies.

    Attributes:
        path: `spec.path`, normalised to a POSIX path in its source (`.` for the root).
        layer: Name of the layer; empty when no layer holds it.
        depends_on: (namespace, name) of each `dependsOn`.
        substitute_from: Sources after the entry's patches.
        is_local: Whether its source is this repository; the rest is opaque.
        parent: Name of the component or entry whose build holds the Kustomization.
        raw: The Kustomization object after the entry's patches: apply exactly this.
        build_failed: Whether its build has errors, so `objects` may be incomplete.
    """

    name: str
    namespace: str
    path: str
    layer: str
    source: SourceKey
    depends_on: tuple[tuple[str, str], ...] = ()
    wait: bool = False
    suspend: bool = False
    prune: bool = False
    timeout: str = ""
    interval: str = ""
    target_namespace: str = ""
    decryption: JsonObject = field(default_factory=dict, hash=False)
    substitute: Mapping[str, str] = field(default_factory=dict, hash=False)
    substitute_from: tuple[SubstituteSource, ...] = ()
    health_checks: tuple[JsonObject, ...] = field(default=(), hash=False)
    patches: tuple[JsonObject, ...] = field(default=(), hash=False)
    is_local: bool = True
    has_kustomization_file: bool = True
    parent: str = ""
    releases: tuple[Release, ...] = ()
    objects: tuple[ObjectRef, ...] = ()
    build_failed: bool = False
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def id(self) -> str:
        """`namespace/name` of the Kustomization object."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A directory level under the entry, as the entry's own kustomization lists it.

    Attributes:
        rank: Place in the bootstrap order; lower comes first.
        components: Names, in the order of the build.
        objects: Plain manifests that the entry applies itself.
    """

    name: str
    path: str
    rank: int
    components: tuple[str, ...]
    objects: tuple[ObjectRef, ...]
    entry: str = ""
    position: Position = Position("")


@dataclass(frozen=True, slots=True)
class Entry:
    """A Flux Kustomization that reaches the rest.

    Attributes:
        file: File that declares it; for a FluxInstance the HelmRelease's file.
        is_self_applied: Whether the object appears in a live build; otherwise something outside
            the tree has to apply it.
        is_synthetic: Made from a FluxInstance's `sync`, so the operator creates the object.
        objects: What its build applies directly, Kustomizations included.
    """

    name: str
    namespace: str
    path: str
    file: str
    source: SourceKey
    is_self_applied: bool
    is_synthetic: bool = False
    decryption: JsonObject = field(default_factory=dict, hash=False)
    substitute: Mapping[str, str] = field(default_factory=dict, hash=False)
    substitute_from: tuple[SubstituteSource, ...] = ()
    patches: tuple[JsonObject, ...] = field(default=(), hash=False)
    objects: tuple[ObjectRef, ...] = ()
    build_failed: bool = False
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")
