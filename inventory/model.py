"""What a cluster repository says, as immutable values.

Everything here is data: frozen, slotted, without behaviour beyond small look-ups. Raw documents
are plain JSON values and are shared, so nobody may change them in place. Lines and columns count
from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = "Mapping[str, Json]"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  # a bootstrap, an upgrade or a component fails
    WARNING = "warning"  # works until something happens
    INFO = "info"  # worth telling


class Role(StrEnum):
    """What a machine is in its cluster, in Talos' own words."""

    CONTROL_PLANE = "controlplane"
    WORKER = "worker"


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
    RANK = "rank"  # the layer's place in the bootstrap order


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file of the repository.

    Attributes:
        path: POSIX path relative to the repository root.
        line: Line, from 1.
        column: Column, from 1.
    """

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or risky in the repository, and its repair."""

    id: str
    severity: Severity
    message: str
    position: Position
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """One entry of a node's `networkInterfaces`."""

    name: str  # empty when only a deviceSelector is given
    mac: str  # deviceSelector.hardwareAddr or bond slaves' permanentAddr, lower case
    addresses: tuple[str, ...]
    vip: str


@dataclass(frozen=True, slots=True)
class Node:
    """One machine that talconfig declares.

    Attributes:
        address: First address, substituted; empty when it cannot be known.
        address_expression: As written, e.g. `${MASTER1IP_IP}`.
        disk_selector: `installDiskSelector` as written; empty when `install_disk` is set.
        schematic: The effective schematic (the node's own, else its group's); empty when none.
        talos_image: `talosImageURL`, which overrides the schematic.
    """

    hostname: str
    address: str
    addresses: tuple[str, ...]
    address_expression: str
    role: Role
    install_disk: str
    disk_selector: JsonObject = field(hash=False)
    interfaces: tuple[Interface, ...] = ()
    schematic: JsonObject = field(default_factory=dict, hash=False)
    extensions: tuple[str, ...] = ()
    kernel_arguments: tuple[str, ...] = ()
    talos_image: str = ""
    talos_version: str = ""
    patches: tuple[str, ...] = ()
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def is_control_plane(self) -> bool:
        """Say whether the node runs the control plane."""
        return self.role is Role.CONTROL_PLANE

    @property
    def macs(self) -> tuple[str, ...]:
        """Hardware addresses named by device selectors, lower case."""
        return tuple(interface.mac for interface in self.interfaces if interface.mac)

    @property
    def interface_names(self) -> tuple[str, ...]:
        """Names of the interfaces that the node declares."""
        return tuple(interface.name for interface in self.interfaces if interface.name)


@dataclass(frozen=True, slots=True)
class TalosConfig:
    """`talconfig.yaml`, substituted with the cluster's variables.

    Attributes:
        path: POSIX path of talconfig.yaml.
        endpoint: `https://host:port` of the Kubernetes API.
        vip: The shared address of the control planes; empty without one.
        patch_files: Every `@file` that talconfig names, as repository paths.
        missing_patch_files: Those of them that Git does not hold.
        raw: The document after substitution.
    """

    path: str
    cluster_name: str
    talos_version: str
    kubernetes_version: str
    endpoint: str
    vip: str
    nodes: tuple[Node, ...]
    pod_nets: tuple[str, ...]
    service_nets: tuple[str, ...]
    cni_name: str
    allow_scheduling_on_control_planes: bool
    domain: str = "cluster.local"
    patch_files: tuple[str, ...] = ()
    missing_patch_files: tuple[str, ...] = ()
    variables_used: tuple[str, ...] = ()
    variables_undefined: tuple[str, ...] = ()
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def control_planes(self) -> tuple[Node, ...]:
        """Control planes, in file order."""
        return tuple(node for node in self.nodes if node.is_control_plane)

    @property
    def workers(self) -> tuple[Node, ...]:
        """Workers, in file order."""
        return tuple(node for node in self.nodes if not node.is_control_plane)


@dataclass(frozen=True, slots=True, order=True)
class SourceKey:
    """The identity of a Flux source."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class SubstituteSource:
    """One item of `postBuild.substituteFrom`."""

    kind: str  # ConfigMap or Secret
    namespace: str
    name: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A ConfigMap or Secret that Flux substitutes from.

    Attributes:
        names: Every key, also of encrypted values (SOPS leaves keys readable).
        values: Values that are readable here; Secret data is decoded.
        encrypted: Whether some value is ciphertext.
    """

    kind: str
    namespace: str
    name: str
    names: frozenset[str]
    values: Mapping[str, str] = field(hash=False, repr=False)
    encrypted: bool
    position: Position


@dataclass(frozen=True, slots=True)
class Variables:
    """The cluster's variables.

    Attributes:
        names: Names in clusterenv.yaml, in file order.
        values: Values of clusterenv.yaml that are readable here; never log them.
        derived: `X_IP`, `X_CIDR`, `X_NETMASK` of each address and `CLUSTERNAME`.
        sets: Substitution sources by (kind, namespace, name).
        path: POSIX path of clusterenv.yaml; empty when there is none.
        encrypted: Whether clusterenv.yaml holds ciphertext that no overlay replaced.
    """

    names: tuple[str, ...]
    values: Mapping[str, str] = field(hash=False, repr=False)
    derived: Mapping[str, str] = field(hash=False, repr=False)
    sets: Mapping[tuple[str, str, str], VariableSet] = field(hash=False)
    path: str = ""
    encrypted: bool = False

    def get(self, name: str) -> str:
        """Return a value of clusterenv.yaml or a derived one; empty when it is not known."""
        return self.values.get(name) or self.derived.get(name, "")

    def substitution(self, sources: Sequence[SubstituteSource]) -> Mapping[str, str]:
        """Merge the readable values of `sources`; later ones win, as in Flux."""
        merged: dict[str, str] = {}
        for source in sources:
            found = self.sets.get((source.kind, source.namespace, source.name))
            if found is not None:
                merged.update(found.values)
        return merged

    def names_of(self, sources: Sequence[SubstituteSource]) -> frozenset[str]:
        """Return every name that `sources` define, also those of encrypted values."""
        names: set[str] = set()
        for source in sources:
            found = self.sets.get((source.kind, source.namespace, source.name))
            if found is not None:
                names |= found.names
        return frozenset(names)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object that a build produces, by identity; `raw` is the object itself."""

    api_version: str
    kind: str
    namespace: str  # empty for objects without a namespace
    name: str
    position: Position
    from_component: bool = False  # added by a Kustomize Component
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False, compare=False)

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def group_kind(self) -> str:
        """`group/Kind`, the key of a CRD in dependency edges."""
        return f"{self.group}/{self.kind}"

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes the object one: group, kind, namespace, name."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


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


@dataclass(frozen=True, slots=True)
class Edge:
    """`consumer` waits for `provider`; both are component names (or an entry's).

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


@dataclass(frozen=True, slots=True)
class DeadObject:
    """A Flux object on disk that nothing live refers to."""

    kind: str
    namespace: str
    name: str
    position: Position
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """One place that states a version.

    Attributes:
        subject: `talos`, `kubernetes`, `flux` or `kubectl image`.
        source: The file, or `Kind/name in component`.
        note: Why the value does not count when places are compared; empty when it does.
    """

    subject: str
    source: str
    value: str
    position: Position
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """One cluster of a repository.

    Attributes:
        root: Absolute path of the repository.
        cluster: Folder name under `clusters/`.
        talos: None for a cluster without Talos.
        layers: In the order of the entry's kustomization; see `inventory.order_layers`.
        dead: Kustomizations, HelmReleases and sources on disk that nothing live refers to.
        unlisted_directories: Directories that look like layers but that no kustomization lists.
    """

    root: str
    cluster: str
    talos: TalosConfig | None
    variables: Variables
    entries: tuple[Entry, ...]
    layers: tuple[Layer, ...]
    components: tuple[Component, ...]
    releases: tuple[Release, ...]
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    edges: tuple[Edge, ...]
    dead: tuple[DeadObject, ...] = ()
    unlisted_directories: tuple[str, ...] = ()
    versions: tuple[Statement, ...] = ()

    def component(self, name: str) -> Component:
        """Return the component of that name.

        Raises:
            KeyError: There is none.
        """
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def objects(self) -> Iterator[tuple[str, ObjectRef]]:
        """Yield every live object with the name of the component or entry that applies it."""
        for entry in self.entries:
            for item in entry.objects:
                yield entry.name, item
        for component in self.components:
            for item in component.objects:
                yield component.name, item

    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that make something fail."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)
