"""Four real repositories, read and compared with what was measured on them independently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from inventory import Inventory, Json, SubstitutionError
from inventory.checks.variables import used_names
from tests.inventory.inventory_trees import REPOSITORIES, SLUGS, expected, read, summary

# Sections whose shape is that of the summary, apart from a note on the method.
SECTIONS = (
    "entries",
    "missing_sources",
    "crd_edges",
)

pytestmark = pytest.mark.skipif(
    not REPOSITORIES.is_dir(), reason="the shared test data is not beside the repository"
)


def without(value: Json, *names: str) -> Json:
    """Drop keys from a mapping, or from each mapping of a list."""
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if key not in names}
    if isinstance(value, list):
        return [without(item, *names) for item in value]
    return value


def section(slug: str, name: str) -> Mapping[str, Json]:
    """Return a section of the summary that is a mapping."""
    found = summary(slug)[name]
    assert isinstance(found, Mapping)
    return found


@pytest.fixture(params=SLUGS)
def slug(request: pytest.FixtureRequest) -> str:
    """Give the name of a tree."""
    return str(request.param)


def test_cluster_nodes_and_versions(slug: str) -> None:
    """Machines come out in file order with their substituted addresses, and the versions."""
    want, got = expected(slug), summary(slug)

    assert without(want["cluster"], "method") == got["cluster"]
    assert want["nodes"]["items"] == got["nodes"]
    assert want["talos_version"] == got["talos_version"]
    assert want["kubernetes_version"] == got["kubernetes_version"]


@pytest.mark.parametrize("name", SECTIONS)
def test_section(slug: str, name: str) -> None:
    """A list of the summary equals the measured one."""
    assert expected(slug)[name]["items"] == summary(slug)[name]


def test_sources(slug: str) -> None:
    """Live sources come with url, type, ref and whether something uses them."""
    assert expected(slug)["sources"]["items"] == summary(slug)["sources"]


def test_releases(slug: str) -> None:
    """Live releases come with chart and version, also through a chartRef."""
    assert expected(slug)["releases_live"]["items"] == summary(slug)["releases"]


def test_layers(slug: str) -> None:
    """Layers are those the entry lists, in order, with their components and plain manifests."""
    want = [(i["layer"], i["components"], i["other_objects"]) for i in layer_items(slug)]
    got = [
        (
            layer.name,
            list(layer.components),
            [str(item) for item in layer.objects if not item.from_component],
        )
        for layer in read(slug).layers
    ]

    assert comparable(want) == comparable(got)
    assert expected(slug)["layers"]["directories_not_listed"] == [
        path.rpartition("/")[2] for path in read(slug).unlisted_directories
    ]


def layer_items(slug: str) -> list[Mapping[str, Json]]:
    """Return the measured layers."""
    items = expected(slug)["layers"]["items"]
    assert isinstance(items, list)
    return items


def comparable(layers: Sequence[tuple[Json, Json, Json]]) -> list[tuple[str, str, str]]:
    """Turn layers into texts."""
    return [(str(name), str(components), str(objects)) for name, components, objects in layers]


def test_totals(slug: str) -> None:
    """Kustomizations, releases and sources are counted on disk and live."""
    assert without(expected(slug)["totals"], "method") == summary(slug)["totals"]


def test_dead(slug: str) -> None:
    """What lies on disk but is not live is named with its file."""
    want = expected(slug)["dead"]
    got = section(slug, "dead")

    for name in ("kustomizations", "helm_releases", "sources"):
        assert by_file(want[name]) == by_file(got[name])


def by_file(items: Json) -> list[tuple[str, str]]:
    """Return file and name of each item, sorted."""
    assert isinstance(items, list)
    return sorted((str(item["file"]), str(item["name"])) for item in items)


def test_builds(slug: str) -> None:
    """Directories without a kustomization file and foreign components are told apart."""
    want = expected(slug)["build"]
    got = section(slug, "build")
    errors = want["errors"]
    assert isinstance(errors, list)

    assert [item["component"] for item in errors] == got["no_kustomization_file"]
    assert want["not_in_this_repository"] == got["not_in_this_repository"]
    assert got["failed"] == []


def test_depends_on(slug: str) -> None:
    """Declared edges of Kustomizations and HelmReleases are complete."""
    assert without(expected(slug)["depends_on"], "method") == summary(slug)["depends_on"]


def test_waiting(slug: str) -> None:
    """Components that wait, have health checks or are suspended are known."""
    assert without(expected(slug)["waiting"], "method") == summary(slug)["waiting"]


def test_cycles(slug: str) -> None:
    """Cycles over declared and CRD edges are found with everything that waits behind them."""
    cycles = summary(slug)["cycles"]

    assert expected(slug)["cycles"]["items"] == without(cycles, "chain")


def test_custom_resources(slug: str) -> None:
    """Custom resources are counted by kind, with the components that hold them."""
    want = without(
        expected(slug)["custom_resources"]["items"],
        "provider_component",
        "crd_from",
        "provider_live",
    )

    assert want == summary(slug)["custom_resources"]


def test_undeclared_namespaces(slug: str) -> None:
    """Namespaces that objects need and nothing creates are found."""
    assert without(expected(slug)["namespaces"], "method") == summary(slug)["namespaces"]


def test_talconfig(slug: str) -> None:
    """Variables and patches that talconfig names are listed, and which of them are missing."""
    want = dict(expected(slug)["talconfig"])
    got = section(slug, "talconfig")
    folder = "clusters/main/talos/"

    assert want["variables"] == got["variables"]
    assert want["undefined"] == got["undefined"]
    assert prefixed(folder, want["patches_referenced"]) == got["patches_referenced"]
    assert prefixed(folder, want["patches_missing"]) == got["patches_missing"]


def prefixed(folder: str, names: Json) -> list[str]:
    """Put a folder before each name."""
    assert isinstance(names, list)
    return [f"{folder}{name}" for name in names]


def test_versions(slug: str) -> None:
    """Every place that states a version is found, and where they differ."""
    want = expected(slug)["version_sources"]
    got = section(slug, "versions")

    assert want["items"] == got["items"]
    assert want["drift"] == got["drift"]


def test_substitution(slug: str) -> None:
    """Substitution sources, used names and undefined names are those of the real builds."""
    want = expected(slug)["substitution"]
    found = read(slug).findings
    undefined = {
        f.message.rpartition("`")[0].rpartition("`")[2] for f in found if is_undefined(f.id)
    }
    # A kustomization that lists itself counts there as one more object.
    extra = sum(finding.id == "lists-itself" for finding in found)
    objects = list(read(slug).objects())

    assert want["sources"] == section(slug, "variables")["sources"]
    assert want["names_used"] == len(set(names_in(read(slug))))
    assert undefined_names(want["undefined"]) == undefined
    assert want["objects_checked"] == len(objects) + extra


def is_undefined(name: str) -> bool:
    """Say whether a finding is about an undefined variable."""
    return name == "undefined-variable"


def undefined_names(items: Json) -> set[str]:
    """Return the measured undefined names."""
    assert isinstance(items, list)
    return {str(item["name"]) for item in items}


def names_in(inventory: Inventory) -> Iterator[str]:
    """Yield every variable name that live objects use."""
    for _, item in inventory.objects():
        try:
            yield from (name for name, _ in used_names(item.raw))
        except SubstitutionError:
            continue
