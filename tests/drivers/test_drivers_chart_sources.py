"""Charts of an HTTP repository and of an OCI registry, fetched by the real Helm."""

from __future__ import annotations

import base64
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
from lifecycle.drivers.credentials import Credential, make_helm_access
from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.process import ProcessRunner

NAME, VERSION = "tiny", "1.0.0"
CREDENTIAL = Credential({"username": b"reader", "password": b"a-password"})
BASIC = f"Basic {base64.b64encode(b'reader:a-password').decode()}"


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
async def serve(
    files: Mapping[str, tuple[str, bytes]], authorization: str = ""
) -> AsyncIterator[str]:
    """Serve files by path on loopback, to those with the credential if any; yields `host:port`."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if authorization and request.headers.get("Authorization") != authorization:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="charts"'})
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


async def test_chart_of_a_private_repository_is_fetched_with_its_credential(
    cache: ChartCache, tmp_path: Path
) -> None:
    """The one that its Secret holds, also for the archive itself, and in no argument list."""
    async with serve(
        {"/index.yaml": ("text/yaml", INDEX), f"/{NAME}-{VERSION}.tgz": ("", ARCHIVE)}, BASIC
    ) as address:
        url = f"http://{address}"
        access = make_helm_access(url, CREDENTIAL, tmp_path / "private")
        archive = await cache.fetch(ChartSource(NAME, VERSION, url, access=access))
        with pytest.raises(ChartMissingError, match="401 Unauthorized"):
            await cache.fetch(ChartSource("other", VERSION, url))

    assert (f"{NAME}-{VERSION}.tgz", ARCHIVE) == (archive.name, archive.read_bytes())


@pytest.mark.parametrize("is_docker_config", [False, True])
async def test_chart_of_a_private_registry_is_fetched_with_its_credential(
    cache: ChartCache, tmp_path: Path, *, is_docker_config: bool
) -> None:
    """Flux takes a name with a password, and the file that `docker login` writes."""
    async with serve(make_registry(), BASIC) as address:
        config = json.dumps({"auths": {address: {"auth": BASIC.removeprefix("Basic ")}}})
        secret = Credential({".dockerconfigjson": config.encode()})
        url = f"oci://{address}/charts"
        access = make_helm_access(
            url, secret if is_docker_config else CREDENTIAL, tmp_path / "private"
        )
        source = ChartSource(NAME, VERSION, url, is_insecure=True, access=access)
        archive = await cache.fetch(source)

    assert (f"{NAME}-{VERSION}.tgz", ARCHIVE) == (archive.name, archive.read_bytes())


def test_secret_is_read_as_the_api_server_reads_it() -> None:
    """`stringData` wins over `data`, and what is no base64 is left out."""
    secret: JsonObject = {
        "data": {"username": "b2xk", "password": "cHc=", "ca.crt": "no base64!"},
        "stringData": {"username": "new"},
    }
    read = Credential.of(secret)

    assert ("new", "pw", "") == (read.text("username"), read.text("password"), read.ca)


async def test_chart_that_its_source_has_not_is_named(cache: ChartCache) -> None:
    """The error has Helm's reason, and nothing stays in the cache."""
    async with serve({"/index.yaml": ("text/yaml", INDEX)}) as address:
        with pytest.raises(ChartMissingError, match=r"tiny-2\.0\.0\.tgz.*not found in"):
            await cache.fetch(ChartSource(NAME, "2.0.0", f"http://{address}"))

    assert [] == [*cache.cache.iterdir()]
