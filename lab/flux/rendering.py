"""Real `helm template`, once for each chart, values and set of API versions."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.flux.manifests import parse_manifests, split_manifests
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.values import Json, Object, at, maps, text
from lab.tools import LabTools, ToolFailedError

__all__ = ["Chart", "CrdText", "RenderError", "Rendered", "Renderer"]

# In a definition, only its own metadata has a name two columns in.
_CRD_NAME = re.compile(r"^metadata:\n(?:  .*\n)*?  name: *(\S+)", re.MULTILINE)
_CRD_KIND = re.compile(r"^kind: *[\"']?CustomResourceDefinition\b", re.MULTILINE)
_DEBUG_HINT = "Use --debug flag to render out invalid YAML"
_CRD_SOURCE = re.compile(r"# Source: \S+/crds/")


class RenderError(Exception):
    """Helm refused; the text is helm's own."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What Chart.yaml says, and whether any template looks at the API versions."""

    path: Path
    name: str
    version: str
    app_version: str
    asks_for_apis: bool
    digest: str


@dataclass(frozen=True, slots=True)
class CrdText:
    """A definition of the `crds/` folder, unread: some are half a megabyte and never needed."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered release: definitions of the `crds/` folder apart, hooks apart."""

    crds: Sequence[CrdText]
    objects: Sequence[Object]
    hooks: Sequence[Object]
    manifest: str


class Renderer:
    """Renders charts and remembers what came out."""

    def __init__(self, client: KubernetesClient, tools: LabTools) -> None:
        self._client = client
        self._tools = tools
        self._charts: dict[tuple[Path, int], Chart] = {}
        self._rendered: dict[str, Rendered] = {}

    def load(self, path: Path) -> Chart:
        """Read a chart's metadata, once a file.

        Raises:
            RenderError: the file is no chart.
        """
        key = (path, path.stat().st_mtime_ns)
        if key not in self._charts:
            self._charts[key] = _read_chart(path)
        return self._charts[key]

    async def render(
        self, chart: Chart, release: str, namespace: str, values: Mapping[str, Json]
    ) -> Rendered:
        """Render a release; what comes out is shared: copy it before changing it.

        Raises:
            RenderError: a template failed, or the values break the chart's schema.
        """
        apis = await self._list_apis() if chart.asks_for_apis else ()
        parts = (chart.digest, release, namespace, json.dumps(values, sort_keys=True), *apis)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        if key not in self._rendered:
            self._rendered[key] = await self._render(chart, release, namespace, values, apis)
        return self._rendered[key]

    async def _render(
        self,
        chart: Chart,
        release: str,
        namespace: str,
        values: Mapping[str, Json],
        apis: Sequence[str],
    ) -> Rendered:
        version = await self._find_kube_version()
        try:
            printed = await self._tools.call(
                *("helm", "template", release, str(chart.path), "--namespace", namespace),
                *("--include-crds", "--skip-tests", "--values", "-"),
                *(("--kube-version", version) if version else ()),
                *(("--api-versions", ",".join(apis)) if apis else ()),
                stdin=json.dumps(values),
                what=f"render {namespace}/{release}",
            )
        except ToolFailedError as failed:
            # The hint is of the command line; helm-controller has the library's own words.
            said = failed.stderr.removeprefix("Error: ").removesuffix(_DEBUG_HINT)
            raise RenderError(said.rstrip()) from failed
        # Megabytes of definitions take a while to parse, and the lab's servers share this loop.
        return await asyncio.to_thread(_sort_out, printed)

    async def _list_apis(self) -> Sequence[str]:
        found: set[str] = set()
        for crd in await self._client.peek("apiextensions.k8s.io/v1", "CustomResourceDefinition"):
            group, kind = text(crd, "spec", "group"), text(crd, "spec", "names", "kind")
            for version in maps(crd, "spec", "versions"):
                served = f"{group}/{text(version, 'name')}"
                found.update({served, f"{served}/{kind}"})
        return sorted(found)

    async def _find_kube_version(self) -> str:
        nodes = await self._client.peek("v1", "Node")
        return text(nodes[0], "status", "nodeInfo", "kubeletVersion") if nodes else ""


def _sort_out(printed: str) -> Rendered:
    crds: list[str] = []
    rest: list[str] = []
    in_crds = False
    for part in split_manifests(printed):
        # Only the first document of a file in crds/ says where it comes from.
        if part.startswith("# Source: "):
            in_crds = _CRD_SOURCE.match(part) is not None
        (crds if in_crds else rest).append(part)
    objects: list[Object] = []
    hooks: list[Object] = []
    for obj in parse_manifests("\n---\n".join(rest)):
        is_hook = "helm.sh/hook" in at(obj, "metadata", "annotations")
        (hooks if is_hook else objects).append(obj)
    manifest = "\n---\n".join(rest)
    return Rendered([*_name_crds(crds)], objects, hooks, manifest)


def _name_crds(parts: Sequence[str]) -> Iterator[CrdText]:
    for part in parts:
        found = _CRD_NAME.search(part)
        # Anything else in crds/ is passed over, as helm-controller does.
        if found is not None and _CRD_KIND.search(part):
            yield CrdText(found[1].strip("\"'"), part)


def _read_chart(path: Path) -> Chart:
    asks, metadata = False, None
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                opened = archive.extractfile(member)
                if opened is None:
                    continue
                content = opened.read()
                if member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                    metadata = yaml.load(content, Loader=yaml.CSafeLoader)
                asks = asks or (b"APIVersions" in content and "/templates/" in member.name)
    except (tarfile.TarError, OSError, yaml.YAMLError) as broken:
        raise RenderError(f"Could not load chart: {broken}") from broken
    if not isinstance(metadata, dict):
        raise RenderError("Could not load chart: Chart.yaml file is missing")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name, version = str(metadata["name"]), str(metadata["version"])
    app_version = str(metadata.get("appVersion", ""))
    return Chart(path, name, version, app_version, asks, digest)
