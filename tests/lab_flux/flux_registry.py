"""A registry on loopback that serves charts as Helm pushes them, and refuses what it is told to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

__all__ = ["Registry", "digest_of", "push_charts", "serve_registry"]

_HOST = "127.0.0.1"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<what>tags|manifests|blobs)/(?P<reference>[^/?]+)")
_CHART_FILE = re.compile(r"(?P<name>[a-z-]+)-(?P<version>\d+\.\d+\.\d+)\.tgz")


@dataclass
class Registry:
    """What is served: blobs by digest, and manifests by tag of each repository."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def push(self, repository: str, tag: str, layer: bytes, config: bytes) -> str:
        """Put one artifact of one layer there; returns the digest of its manifest."""
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": self._hold(config, _CONFIG),
                "layers": [self._hold(layer, CHART_LAYER)],
            }
        ).encode()
        self.tags.setdefault(repository, {})[tag] = manifest
        return digest_of(manifest)

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Answer a request: status, media type, body."""
        found = _PATH.fullmatch(path.partition("?")[0])
        if "/denied/" in path:
            return _refuse(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
        if found is None:
            return HTTPStatus.OK, "application/json", b"{}"
        tags = self.tags.get(found["name"], {})
        if found["what"] == "blobs":
            blob = self.blobs.get(found["reference"])
            return _give("application/octet-stream", blob, "BLOB_UNKNOWN")
        if found["what"] == "tags":
            if not tags:
                return _refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN", "repository name not known")
            listed = json.dumps({"name": found["name"], "tags": [*tags]}).encode()
            return HTTPStatus.OK, "application/json", listed
        manifests: Mapping[str, bytes] = {**tags, **{digest_of(one): one for one in tags.values()}}
        return _give(_MANIFEST, manifests.get(found["reference"]), "MANIFEST_UNKNOWN")

    def _hold(self, content: bytes, kind: str) -> dict[str, str | int]:
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content)}


def digest_of(content: bytes) -> str:
    """Name content as registries do."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push_charts(registry: Registry, folder: Path) -> None:
    """Push every chart of a folder to `charts/<name>:<version>`."""
    for file in sorted(folder.glob("*.tgz")):
        found = _CHART_FILE.fullmatch(file.name)
        assert found, file
        about = {"apiVersion": "v2", "name": found["name"], "version": found["version"]}
        for repository in (f"charts/{found['name']}", f"denied/{found['name']}"):
            config = json.dumps(about).encode()
            registry.push(repository, found["version"], file.read_bytes(), config)


@contextmanager
def serve_registry(registry: Registry) -> Iterator[str]:
    """Serve it; yields `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = registry.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if kind == _MANIFEST:
                self.send_header("Docker-Content-Digest", digest_of(body))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer((_HOST, 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"{_HOST}:{server.server_port}"
        server.shutdown()


def _give(kind: str, body: bytes | None, otherwise: str) -> tuple[HTTPStatus, str, bytes]:
    if body is None:
        return _refuse(HTTPStatus.NOT_FOUND, otherwise, otherwise.lower().replace("_", " "))
    return HTTPStatus.OK, kind, body


def _refuse(status: HTTPStatus, code: str, message: str) -> tuple[HTTPStatus, str, bytes]:
    errors = {"errors": [{"code": code, "message": message}]}
    return status, "application/json", json.dumps(errors).encode()
