"""Charts of an HTTP repository and of an OCI registry, fetched by the real Helm."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from lifecycle.drivers.charts import ChartCache, ChartMissingError, ChartSource
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.process import ProcessRunner

NAME, VERSION = "tiny", "1.0.0"


def make_archive() -> bytes:
    """A chart as `helm package` leaves it."""
    content = f"apiVersion: v2\nname: {NAME}\nversion: {VERSION}\n".encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{NAME}/Chart.yaml")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


ARCHIVE = make_archive()
INDEX = (
    f"apiVersion: v1\nentries:\n  {NAME}:\n  - name: {NAME}\n    version: {VERSION}\n"
    f"    apiVersion: v2\n    urls: [{NAME}-{VERSION}.tgz]\n"
).encode()


def digest(content: bytes) -> str:
    """The name of a blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def make_registry() -> Mapping[str, tuple[str, bytes]]:
    """What an OCI registry answers: a manifest, and the blobs that it names."""
    config = json.dumps({"name": NAME, "version": VERSION, "apiVersion": "v2"}).encode()
    layers = {
        "application/vnd.cncf.helm.config.v1+json": config,
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip": ARCHIVE,
    }
    described = [
        {"mediaType": kind, "digest": digest(blob), "size": len(blob)}
        for kind, blob in layers.items()
    ]
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": described[0],
        "layers": described[1:],
    }
    folder = f"/v2/charts/{NAME}"
    blobs = {f"{folder}/blobs/{digest(blob)}": ("", blob) for blob in layers.values()}
    return {f"{folder}/manifests/{VERSION}": (media_type, json.dumps(manifest).encode()), **blobs}


@asynccontextmanager
async def serve(files: Mapping[str, tuple[str, bytes]]) -> AsyncIterator[str]:
    """Serve files by path on loopback; yields `host:port`."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path not in files:
            return web.Response(status=404)
        kind, body = files[request.path]
        return web.Response(body=body, content_type=kind or "application/octet-stream")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
def cache(runner: ProcessRunner, real_tool: Callable[[str], str], tmp_path: Path) -> ChartCache:
    """An empty cache, filled by the real helm."""
    return ChartCache((), tmp_path / "cache", Helm(real_tool("helm"), runner, tmp_path / "home"))


async def test_chart_comes_from_an_http_repository(cache: ChartCache) -> None:
    """The index is read, the archive fetched, and kept under the name that a site would give it."""
    async with serve(
        {"/index.yaml": ("text/yaml", INDEX), f"/{NAME}-{VERSION}.tgz": ("", ARCHIVE)}
    ) as address:
        archive = await cache.fetch(ChartSource(NAME, VERSION, f"http://{address}"))

    assert (f"{NAME}-{VERSION}.tgz", ARCHIVE) == (archive.name, archive.read_bytes())


async def test_chart_comes_from_a_registry_without_tls(cache: ChartCache) -> None:
    """A source that says `insecure` is asked over HTTP, as Flux asks it."""
    async with serve(make_registry()) as address:
        source = ChartSource(NAME, VERSION, f"oci://{address}/charts", is_insecure=True)
        archive = await cache.fetch(source)

    assert (f"{NAME}-{VERSION}.tgz", ARCHIVE) == (archive.name, archive.read_bytes())


async def test_chart_that_its_source_has_not_is_named(cache: ChartCache) -> None:
    """The error has Helm's reason, and nothing stays in the cache."""
    async with serve({"/index.yaml": ("text/yaml", INDEX)}) as address:
        with pytest.raises(ChartMissingError, match=r"tiny-2\.0\.0\.tgz.*not found in"):
            await cache.fetch(ChartSource(NAME, "2.0.0", f"http://{address}"))

    assert [] == [*cache.cache.iterdir()]
