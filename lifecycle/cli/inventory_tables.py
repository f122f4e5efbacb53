"""The tables of `inventory`, as functions from values to something rich can draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from inventory import Component, Inventory, Node, Severity, order_layers
from lifecycle.report.cleaning import clean_text

__all__ = ["clean", "draw_inventory", "make_table"]


def draw_inventory(inventory: Inventory) -> RenderableType:
    """Draw one cluster: versions, nodes, entries, layers with their components, sources."""
    return Group(
        Text(clean(f"cluster {inventory.cluster}"), style="bold"),
        *_section("Versions", ("What", "Version", "Stated in"), _versions(inventory)),
        *_section("Nodes", ("Node", "Role", "Address", "Talos"), _nodes(inventory)),
        *_section("Entries", ("Entry", "Path", "Applied by", "File"), _entries(inventory)),
        *_section(
            "Layers and components",
            ("Layer", "Component", "Release", "Chart", "Notes"),
            _components(inventory),
        ),
        *_section("Sources", ("Kind", "Source", "URL", "Used"), _sources(inventory)),
        Text(_sum_up(inventory)),
        Text(""),
    )


def make_table(*columns: str) -> Table:
    """Return an empty table; its last column takes what is left."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for title in columns:
        table.add_column(title, overflow="fold")
    return table


def clean(text: str) -> str:
    """Return a text that a terminal shows as it is, whatever bytes a file name holds."""
    return clean_text(text).encode("utf-8", "backslashreplace").decode()


def _section(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> list[RenderableType]:
    found = list(rows)
    if not found:
        return []
    table = make_table(*columns)
    for row in found:
        table.add_row(*(Text(clean(cell)) for cell in row))
    return [Text(""), Text(title, style="bold"), table]


def _versions(inventory: Inventory) -> Iterable[Sequence[str]]:
    for item in inventory.versions:
        note = f" ({item.note})" if item.note else ""
        path = item.position.path
        source = "" if item.source == path else f"{item.source}: "
        yield item.subject, item.value + note, f"{source}{item.position}"


def _nodes(inventory: Inventory) -> Iterable[Sequence[str]]:
    talos = inventory.talos
    for node in talos.nodes if talos else ():
        version = node.talos_version or (talos.talos_version if talos else "")
        yield node.hostname, node.role.value, _address(node), version


def _address(node: Node) -> str:
    return node.address or node.address_expression


def _entries(inventory: Inventory) -> Iterable[Sequence[str]]:
    for entry in inventory.entries:
        maker = "its own build" if entry.is_self_applied else "something outside the tree"
        if entry.is_synthetic:
            maker = "the Flux operator"
        yield entry.name, entry.path, maker, entry.file


def _components(inventory: Inventory) -> Iterable[Sequence[str]]:
    known = {component.name: component for component in inventory.components}
    listed: set[str] = set()
    for layer in order_layers(inventory, inventory.edges):
        title = layer.name
        if not layer.components:
            yield title, "", "", "", f"{len(layer.objects)} plain manifests"
        for name in layer.components:
            if name in known:
                listed.add(name)
                yield from _rows(title, known[name])
                title = ""
    for component in inventory.components:
        if component.name not in listed:
            yield from _rows("-", component)


def _rows(layer: str, component: Component) -> Iterable[Sequence[str]]:
    notes = _notes(component)
    if not component.releases:
        yield layer, component.name, "", "", notes
    for number, release in enumerate(component.releases):
        chart = f"{release.chart} {release.version}".strip()
        first = (layer, component.name) if number == 0 else ("", "")
        yield *first, release.name, chart, notes if number == 0 else ""


def _notes(component: Component) -> str:
    notes = [f"after {', '.join(name for _, name in component.depends_on)}"]
    notes = notes if component.depends_on else []
    notes += ["waits"] if component.wait else []
    notes += ["suspended"] if component.suspend else []
    notes += ["build fails"] if component.build_failed else []
    notes += [] if component.is_local else [f"from {component.source}"]
    return "; ".join(notes)


def _sources(inventory: Inventory) -> Iterable[Sequence[str]]:
    for source in sorted(inventory.sources, key=lambda source: source.key):
        name = f"{source.namespace}/{source.name}"
        yield source.kind, name, source.url, "yes" if source.is_used else "no"


def _sum_up(inventory: Inventory) -> str:
    counts = Counter(finding.severity for finding in inventory.findings)
    findings = ", ".join(f"{counts[s]} {s.value}" for s in Severity if counts[s])
    return (
        f"{len(inventory.components)} components, {len(inventory.releases)} releases,"
        f" {len(inventory.sources)} sources, {len(inventory.dead)} dead objects;"
        f" findings: {findings or 'none'} (see `invoke validate`)"
    )
