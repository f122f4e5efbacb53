"""Writes charts as `<name>-<version>.tgz` into a cache folder, byte for byte the same each time."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from lab.charts.crds import describe_crd
from lab.charts.ranges import choose_version, is_exact
from lab.charts.recipe import Recipe
from lab.charts.used import UsedKind, choose_recipe
from lab.kubernetes.values import Json, Object

__all__ = [
    "ChartWanted",
    "build_charts",
    "find_chart",
    "list_versions",
    "name_chart_file",
    "resolve_chart",
]

_SWITCH = "{{- if or (default dict .Values.crds).enabled .Values.installCRDs }}\n"


@dataclass(frozen=True, slots=True, order=True)
class ChartWanted:
    """One chart that a repository asks for, by name and exact version."""

    name: str
    version: str


def name_chart_file(name: str, version: str) -> str:
    """The file's name in a cache; `/` and `+` never stand in one."""
    return f"{name.rsplit('/', 1)[-1]}-{version.replace('+', '_')}.tgz"


def find_chart(folders: Iterable[Path], name: str, version: str) -> Path | None:
    """Find a chart in cache folders, the first folder first; with or without the leading v."""
    spellings = {version, version.removeprefix("v"), f"v{version.removeprefix('v')}"}
    ordered = [version, *sorted(spellings - {version})]
    for folder in folders:
        for spelling in ordered:
            path = folder / name_chart_file(name, spelling)
            if path.is_file():
                return path
    return None


def resolve_chart(folders: Sequence[Path], name: str, version: str) -> Path | None:
    """Find the chart that a release gets.

    A range takes the highest version at hand that fits, else what stands in for it, `0.0.0`.
    """
    return find_chart(folders, name, _choose(folders, name, version))


def list_versions(folders: Sequence[Path], name: str) -> list[str]:
    """List the versions of a chart that the cache folders have."""
    begin = f"{name.rsplit('/', 1)[-1]}-"
    files = (path.stem for folder in folders for path in folder.glob(f"{begin}*.tgz"))
    return [version for stem in files if is_exact(version := stem.removeprefix(begin))]


def build_charts(
    releases: Iterable[ChartWanted],
    into: Path,
    real: Sequence[Path] = (),
    used: Iterable[UsedKind] = (),
) -> Mapping[ChartWanted, Path]:
    """Fill the cache folder `into` so that every wanted chart has a file in it.

    Charts that a folder of `real` has in that name and version are copied as they are; the
    others are made, with the kinds of theirs that are `used`. A range, or no version, takes the
    highest that fits of `real`, else one that is made as `0.0.0`.
    """
    into.mkdir(parents=True, exist_ok=True)
    made: dict[ChartWanted, Path] = {}
    kinds = frozenset(used)
    for wanted in sorted(set(releases)):
        version = _choose(real, wanted.name, wanted.version)
        path = into / name_chart_file(wanted.name, version)
        found = find_chart(real, wanted.name, version)
        if found is not None:
            shutil.copyfile(found, path)
        else:
            path.write_bytes(_make_chart(wanted.name.rsplit("/", 1)[-1], version, kinds))
        made[wanted] = path
    return made


def _choose(folders: Sequence[Path], name: str, version: str) -> str:
    if is_exact(version):
        return version
    return choose_version(version, list_versions(folders, name)) or "0.0.0"


def _make_chart(name: str, version: str, used: frozenset[UsedKind]) -> bytes:
    recipe = choose_recipe(name, version, used)
    files = {
        "Chart.yaml": yaml.safe_dump(
            {
                "apiVersion": "v2",
                "name": name,
                "version": version,
                "appVersion": version,
                "description": "Made by the lab: the shape of the chart of that name",
            },
            sort_keys=False,
        ),
        "values.yaml": yaml.safe_dump(_make_values(recipe, name), sort_keys=False),
        **_read_templates(recipe),
        **_place_crds(recipe),
    }
    return _pack(name, files)


def _make_values(recipe: Recipe, name: str) -> Object:
    groups: list[Json] = ["", "apps", *sorted({crd.group for crd in recipe.crds})]
    lab: Object = {
        "accounts": [name] if recipe.workloads else [],
        "groups": groups,
        "workloads": [*recipe.workloads],
        "services": [*recipe.services],
        "webhooks": [*recipe.webhooks],
    }
    given = recipe.values.get("lab")
    return {**recipe.values, "lab": {**lab, **(given if isinstance(given, dict) else {})}}


def _read_templates(recipe: Recipe) -> Mapping[str, str]:
    folder = resources.files("lab.charts") / "templates"
    names = ["_helpers.tpl", *(f"{template}.yaml" for template in recipe.templates)]
    return {f"templates/{name}": (folder / name).read_text() for name in names}


def _place_crds(recipe: Recipe) -> Mapping[str, str]:
    if not recipe.crds:
        return {}
    if recipe.crds_in == "crds":
        return {"crds/crds.yaml": describe_crd(recipe.crds, labels=False)}
    described = describe_crd(recipe.crds, labels=True)
    if recipe.crds_in == "switch":
        described = f"{_SWITCH}{described}{{{{- end }}}}\n"
    return {"templates/crds.yaml": described}


def _pack(name: str, files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()
