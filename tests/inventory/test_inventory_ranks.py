"""Edges from layer rank: between layers, with their reason, apart from all other edges."""

from __future__ import annotations

from inventory import Edge, EdgeKind, Inventory, Layer, Position, Variables, find_cycles, rank_edges

HERE = Position("a.yaml")


def make(*layers: Layer) -> Inventory:
    """Return an inventory with these layers only."""
    return Inventory(
        root="/",
        cluster="main",
        talos=None,
        variables=Variables((), {}, {}, {}),
        entries=(),
        layers=layers,
        components=(),
        releases=(),
        sources=(),
        findings=(),
        edges=(),
    )


def layer(name: str, rank: int, *components: str) -> Layer:
    """Return a layer."""
    return Layer(name, name, rank, components, ())


def waits(consumer: str, provider: str, kind: EdgeKind = EdgeKind.CRD) -> Edge:
    """Return an edge between components."""
    return Edge(consumer, provider, kind, "because", HERE)


def pairs(edges: tuple[Edge, ...]) -> list[tuple[str, str]]:
    """Return who comes after whom."""
    return [(edge.consumer, edge.provider) for edge in edges]


def test_layers_of_one_rank_stand_side_by_side() -> None:
    """Each waits for those of the rank before, none for its neighbour, empty ones for nobody."""
    inventory = make(
        layer("apps", 90, "web"),
        layer("media", 50, "plex"),
        layer("games", 50, "chess"),
        layer("network", 40),
        layer("system", 20, "disk"),
    )
    edges = rank_edges(inventory)

    assert [("media", "system"), ("games", "system"), ("apps", "media"), ("apps", "games")] == (
        pairs(edges)
    )
    assert {EdgeKind.RANK} == {edge.kind for edge in edges}
    assert "rank 50 comes after 20" == edges[0].reason
    assert not any(edge.is_declared for edge in edges)


def test_exceptions_are_named_and_close_no_circle() -> None:
    """What an earlier layer needs of a later one is told; no cycle comes of it."""
    inventory = make(layer("system", 20, "disk", "certs"), layer("core", 30, "alerts"))
    edges = (waits("disk", "alerts"),)
    ranks = rank_edges(inventory, edges)

    assert ["rank 30 comes after 20; the other way round: disk"] == [e.reason for e in ranks]
    assert ("disk",) == ranks[0].subjects
    assert () == find_cycles((*edges, *ranks))


def test_component_that_flux_holds_back_is_no_exception() -> None:
    """What dependsOn moves to a later layer counts there."""
    inventory = make(layer("system", 20, "disk", "certs"), layer("core", 30, "alerts"))
    [edge] = rank_edges(inventory, (waits("disk", "alerts", EdgeKind.DEPENDS_ON),))

    assert "rank 30 comes after 20" == edge.reason


def test_many_exceptions_are_counted() -> None:
    """A long list would hide the reason."""
    names = [f"c{number}" for number in range(8)]
    inventory = make(layer("system", 20, *names), layer("core", 30, "alerts"))
    [edge] = rank_edges(inventory, tuple(waits(name, "alerts") for name in names))

    assert edge.reason.endswith("the other way round: c0, c1, c2, c3, c4 and 3 more")
    assert tuple(names) == edge.subjects
