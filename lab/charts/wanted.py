"""Reads a tree for the charts that its HelmReleases name, without building anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from lab.charts.build import ChartWanted
from lab.kubernetes.values import Object, at, text

__all__ = ["find_wanted_charts", "split_chart_url"]


def find_wanted_charts(tree: Path) -> frozenset[ChartWanted]:
    """Find every chart of the tree, live or not; a release whose source is missing has none."""
    documents = list(_read_documents(tree))
    sources = {
        (text(source, "metadata", "namespace"), text(source, "metadata", "name")): source
        for source in documents
        if source.get("kind") == "OCIRepository"
    }
    wanted = set()
    for release in documents:
        if release.get("kind") != "HelmRelease":
            continue
        chart, reference = at(release, "spec", "chart", "spec"), at(release, "spec", "chartRef")
        namespace = text(release, "metadata", "namespace")
        if chart:
            wanted.add(ChartWanted(text(chart, "chart"), text(chart, "version")))
        elif text(reference, "kind") == "OCIRepository":
            key = (text(reference, "namespace") or namespace, text(reference, "name"))
            if key in sources:
                wanted.add(split_chart_url(sources[key]))
    return frozenset(wanted)


def split_chart_url(source: Object) -> ChartWanted:
    """Read chart name and version from an OCIRepository: last part of the URL, and the tag."""
    reference = at(source, "spec", "ref")
    name = text(source, "spec", "url").rstrip("/").rsplit("/", 1)[-1]
    return ChartWanted(name, text(reference, "tag") or text(reference, "semver"))


def _read_documents(tree: Path) -> Iterator[Object]:
    for file in sorted([*tree.glob("clusters/**/*.y*ml"), *tree.glob("repositories/**/*.y*ml")]):
        content = file.read_text(errors="replace")
        if "HelmRelease" not in content and "OCIRepository" not in content:
            continue
        try:
            documents = list(yaml.load_all(content, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            continue  # not a manifest; whoever builds the tree reports it
        for document in documents:
            if isinstance(document, dict):
                yield document
