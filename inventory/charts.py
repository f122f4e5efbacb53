"""Look into a packaged chart in memory: what it is, and whether it brings CRDs.

Nothing is unpacked to disk, so member names cannot lead anywhere; sizes and counts are bounded.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from inventory.crds import CRD_KIND, crds_in
from inventory.documents import parse_documents
from inventory.model import Json
from inventory.objects import get_mappings, get_text

MAX_MEMBERS = 20_000  # kube-prometheus-stack, the largest seen, has about 600
MAX_BYTES = 256 * 1024 * 1024  # unpacked; the largest seen is 6 MB
_MAX_NESTING = 4  # charts in charts
_INDENTED_CRD = re.compile(rf"kind:\s*[\"']?{CRD_KIND}\b")


class ChartError(ValueError):
    """A package that cannot be read as a chart; the message says why."""


@dataclass(frozen=True, slots=True)
class ChartScan:
    """What a packaged chart says about itself.

    Attributes:
        crds: `group/Kind` of the CRDs in `crds/` folders, subcharts included; Helm installs them
            before the release's objects and never upgrades them.
        crd_templates: Files elsewhere in the package that mention CRDs, e.g. `templates/crds.yaml`;
            only rendering with the release's values tells which of them come out.
        kube_version: The chart's own constraint; empty when none.
        dependencies: Names of its subcharts.
    """

    name: str
    version: str
    app_version: str
    kube_version: str
    crds: frozenset[str]
    crd_templates: tuple[str, ...]
    dependencies: tuple[str, ...]

    @property
    def brings_crds(self) -> bool:
        """Say whether the chart may bring CRDs in any way."""
        return bool(self.crds or self.crd_templates)


def scan_chart(data: bytes) -> ChartScan:
    """Read a chart package (`.tgz`).

    Raises:
        ChartError: It is no gzipped tar, holds no Chart.yaml, or is unreasonably large.
    """
    own: Json = None
    depth = 0
    crds: set[str] = set()
    templates: list[str] = []
    for path, content in _files(data, 0):
        parts = path.split("/")
        if parts[-1] == "Chart.yaml" and (own is None or len(parts) < depth):
            documents, _ = parse_documents(path, content)
            own, depth = (documents[0].value if documents else None), len(parts)
        if not _INDENTED_CRD.search(content):
            continue
        if "crds" in parts[:-1] and "templates" not in parts:
            crds |= crds_in(content)
        else:
            templates.append("/".join(parts[1:]))
    if own is None:
        raise ChartError("package holds no Chart.yaml")
    return ChartScan(
        name=get_text(own, "name"),
        version=get_text(own, "version"),
        app_version=get_text(own, "appVersion"),
        kube_version=get_text(own, "kubeVersion"),
        crds=frozenset(crds),
        crd_templates=tuple(sorted(templates)),
        dependencies=tuple(get_text(item, "name") for item in get_mappings(own, "dependencies")),
    )


def _files(data: bytes, nesting: int) -> Iterator[tuple[str, str]]:
    """Yield path and text of every file, also of packaged subcharts."""
    import tarfile  # noqa: PLC0415 - slow to import, and most readings look into no chart

    # tarfile's own gzip stream misreads the extra header that Helm writes.
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(data, MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise ChartError("package is too large")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as package:
            for count, member in enumerate(package):
                if count > MAX_MEMBERS:
                    raise ChartError("package holds too many files")
                file = package.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield from _texts(member.name, file.read(), nesting)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ChartError(f"package is no gzipped tar: {error}") from error


def _texts(name: str, content: bytes, nesting: int) -> Iterator[tuple[str, str]]:
    if name.endswith(".tgz") and "/charts/" in name:
        if nesting < _MAX_NESTING:
            folder = name.rpartition("/")[0]
            for path, text in _files(content, nesting + 1):
                yield f"{folder}/{path}", text
        return
    if name.endswith((".yaml", ".yml", ".tpl", ".txt", ".json")):
        yield name, content.decode("utf-8", errors="replace")
