"""The dependency graph: inferred edges, cycles, order, and charts that bring CRDs."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import (
    ChartError,
    Component,
    Edge,
    EdgeKind,
    Inventory,
    Layer,
    ObjectRef,
    Position,
    Release,
    Rendered,
    SourceKey,
    Variables,
    crd_documents,
    crd_edges,
    crds_in,
    find_cycles,
    infer_edges,
    kinds_in,
    order_components,
    order_layers,
    scan_chart,
)

HERE = Position("x.yaml")
SOURCE = SourceKey("GitRepository", "flux-system", "cluster")


def edge(consumer: str, provider: str, kind: EdgeKind = EdgeKind.DEPENDS_ON) -> Edge:
    """Make an edge."""
    return Edge(consumer, provider, kind, "because", HERE)


def item(kind: str, name: str = "x", group: str = "", namespace: str = "default") -> ObjectRef:
    """Make a reference to an object."""
    return ObjectRef(f"{group}/v1" if group else "v1", kind, namespace, name, HERE)


def component(name: str, *objects: ObjectRef) -> Component:
    """Make a component with objects."""
    return Component(name, "flux-system", name, "", SOURCE, objects=objects)


def release(name: str, chart: str) -> Release:
    """Make a release in the component of the same name."""
    return Release(
        name, "default", chart, "1", SOURCE, is_chart_ref=False, values={}, component=name
    )


def inventory(
    *components: Component,
    releases: tuple[Release, ...] = (),
    layers: Mapping[str, tuple[int, tuple[str, ...]]] | None = None,
    edges: tuple[Edge, ...] = (),
) -> Inventory:
    """Make an inventory of the given parts."""
    return Inventory(
        root="/",
        cluster="main",
        talos=None,
        variables=Variables((), {}, {}, {}),
        entries=(),
        layers=tuple(
            Layer(name, name, rank, members, ()) for name, (rank, members) in (layers or {}).items()
        ),
        components=components,
        releases=releases,
        sources=(),
        findings=(),
        edges=edges,
    )


def test_rendered_crds_count_more_than_the_catalogue() -> None:
    """What a rendered chart brings decides; a chart not rendered falls back on the catalogue."""
    cert = item("Certificate", group="cert-manager.io")
    made = inventory(component("user", cert), releases=(release("cert-manager", "cert-manager"),))
    name = "default/cert-manager"

    assert ["cert-manager"] == [e.provider for e in crd_edges(made)]
    assert [] == [e.provider for e in crd_edges(made, {name: frozenset()})]
    assert ["cert-manager"] == [
        e.provider for e in crd_edges(made, {name: frozenset({"cert-manager.io/Certificate"})})
    ]


def test_definition_beside_its_objects_makes_no_edge() -> None:
    """A CRD that lies as a manifest in a component is applied before that component's objects."""
    definition = replace(
        item("CustomResourceDefinition", "things.example.org", "apiextensions.k8s.io"),
        raw={"spec": {"group": "example.org", "names": {"kind": "Thing"}}},
    )
    thing = item("Thing", group="example.org")
    made = inventory(component("a", definition, thing), component("b", thing))

    assert [("b", "a")] == [(e.consumer, e.provider) for e in crd_edges(made)]


def test_rendered_custom_resources_need_their_crds() -> None:
    """A release that holds custom resources waits for who brings their CRDs."""
    made = inventory(
        component("cilium"),
        component("stack"),
        releases=(release("cilium", "cilium"), release("stack", "kube-prometheus-stack")),
    )
    consumed = {"default/cilium": frozenset({"monitoring.coreos.com/ServiceMonitor"})}

    assert [("cilium", "stack", ("ServiceMonitor",))] == [
        (e.consumer, e.provider, e.subjects) for e in infer_edges(made, Rendered(consumed=consumed))
    ]


def test_namespaces_make_edges() -> None:
    """Objects in a namespace that another component creates wait for it."""
    made = inventory(
        component(
            "a", item("Namespace", "apps", namespace=""), item("ConfigMap", namespace="apps")
        ),
        component("b", item("ConfigMap", namespace="apps")),
    )

    assert [("b", "a", EdgeKind.NAMESPACE)] == [
        (e.consumer, e.provider, e.kind) for e in infer_edges(made)
    ]


def test_named_classes_make_edges() -> None:
    """A storage class that another component declares, or that a chart is known to make, counts."""
    volume = ObjectRef(
        "v1", "PersistentVolumeClaim", "a", "x", HERE, raw={"spec": {"storageClassName": "fast"}}
    )
    other = ObjectRef("v1", "ConfigMap", "a", "x", HERE, raw={"x": [{"storageClass": "longhorn"}]})
    made = inventory(
        component("user", volume, other),
        component("classes", item("StorageClass", "fast", "storage.k8s.io", "")),
        releases=(release("storage", "longhorn"),),
    )

    found = [e for e in infer_edges(made) if e.kind is EdgeKind.CLASS]

    assert [("classes", "StorageClass/fast"), ("storage", "StorageClass/longhorn")] == [
        (e.provider, e.subjects[0]) for e in found
    ]


def test_cycles_are_named_with_their_chain_and_what_waits() -> None:
    """A cycle comes with one way round and everything behind it."""
    cycles = find_cycles(
        [
            edge("a", "b"),
            edge("b", "c"),
            edge("c", "a"),
            edge("d", "a"),
            edge("e", "d"),
            edge("x", "y"),
        ]
    )

    assert [(("a", "b", "c"), ("a", "b", "c", "a"), ("d", "e"))] == [
        (cycle.components, cycle.chain, cycle.blocked) for cycle in cycles
    ]


def test_layers_have_a_bootstrap_order() -> None:
    """Known names come in their order; an unknown layer comes before what needs it."""
    made = inventory(
        layers={
            "apps": (90, ("app",)),
            "core": (30, ("issuer",)),
            "databases": (50, ("db",)),
            "flux-system": (0, ("flux",)),
            "media": (50, ("plex",)),
        }
    )

    assert ["flux-system", "databases", "core", "media", "apps"] == [
        layer.name for layer in order_layers(made, [edge("issuer", "db")])
    ]


def test_components_are_deferred_to_the_layer_they_wait_for() -> None:
    """What Flux keeps waiting for a later layer moves there; the rest keeps a workable order."""
    made = inventory(
        layers={"system": (20, ("late", "b", "a")), "core": (30, ("c",))},
        edges=(edge("b", "a"), edge("late", "c")),
    )
    waves = order_components(made)

    assert [("system", ("a", "b"), ()), ("core", ("c", "late"), ("late",))] == [
        (wave.layer.name, wave.components, wave.deferred) for wave in waves
    ]


def test_long_chains_are_ordered_at_once() -> None:
    """Time grows with the edges; looking through all that wait, each time, took minutes."""
    names = tuple(f"c{number}" for number in range(3000))
    edges = tuple(edge(first, second) for first, second in pairwise(names))
    began = time.process_time()
    waves = order_components(inventory(layers={"system": (20, names)}, edges=edges), edges)

    assert names[::-1] == waves[0].components
    assert time.process_time() - began < 1


NAMES = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(NAMES, NAMES), max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_graph_is_ordered(pairs: list[tuple[str, str]]) -> None:
    """Every component comes exactly once, providers first where no cycle forbids it."""
    edges = tuple(edge(consumer, provider) for consumer, provider in pairs)
    made = inventory(
        layers={"system": (20, tuple("abcd")), "core": (30, tuple("efgh"))}, edges=edges
    )
    order = [name for wave in order_components(made, edges) for name in wave.components]
    stuck = {name for c in find_cycles(edges) for name in (*c.components, *c.blocked)}
    wrong = [
        (c, p)
        for c, p in pairs
        if c != p and not {c, p} & stuck and order.index(p) > order.index(c)
    ]

    assert sorted("abcdefgh") == sorted(order)
    assert wrong == []


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing}
"""


def test_rendered_text_is_split_as_helm_splits() -> None:
    """Separators may carry a comment; CRDs and custom resources are told apart."""
    thing = "kind: Thing\napiVersion: example.org/v1\n"
    text = f"---# Source: a\n{CRD}---# Source: b\n{thing}---\nkind: Pod\napiVersion: v1\n"

    assert frozenset({"example.org/Thing"}) == crds_in(text)
    assert frozenset({"example.org/Thing"}) == kinds_in(text)
    assert ["example.org"] == [dict(crd)["spec"]["group"] for crd in crd_documents(text)]  # type: ignore[index,call-overload]


def package(files: Mapping[str, str | bytes]) -> bytes:
    """Make a chart package."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def test_charts_tell_where_their_crds_are() -> None:
    """CRDs in crds/ are known by kind, those in templates by file, also in packaged subcharts."""
    inner = package({"sub/Chart.yaml": "name: sub\nversion: 1\n", "sub/crds/a.yaml": CRD})
    data = package(
        {
            "top/charts/sub-1.tgz": inner,
            "top/charts/old/Chart.yaml": "name: old\nversion: 2\n",
            "top/Chart.yaml": "name: top\nversion: 1.2.3\nkubeVersion: '>=1.30'\n",
            "top/templates/crds.yaml": "{{- if .Values.crds }}\nkind: CustomResourceDefinition\n",
            "../../../etc/passwd": "kind: CustomResourceDefinition\n",
        }
    )
    scan = scan_chart(data)

    assert ("top", "1.2.3", ">=1.30") == (scan.name, scan.version, scan.kube_version)
    assert frozenset({"example.org/Thing"}) == scan.crds
    assert ("templates/crds.yaml",) == scan.crd_templates
    assert scan.brings_crds


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\x1f\x8b" + b"\0" * 40, package({"a/values.yaml": "x: 1"})]
)
def test_packages_that_are_no_charts_are_refused(data: bytes) -> None:
    """Whatever is handed in gives an answer or a ChartError."""
    with pytest.raises(ChartError):
        scan_chart(data)
