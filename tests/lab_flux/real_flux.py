"""Real Flux controllers on a real kube-apiserver, with a real Git server over HTTP; on loopback.

The controllers, `flux` itself (which carries their definitions) and git's HTTP backend come from
PATH, the API server from `KUBEBUILDER_ASSETS`. There is no controller manager: pods never run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import (
    BaseHTTPRequestHandler,
    SimpleHTTPRequestHandler,
    ThreadingHTTPServer,
)
from pathlib import Path
from threading import Thread

import httpx2
import yaml

from lab.kubernetes.registry import read_crd
from lab.kubernetes.values import Json, Object, at, name_of, namespace_of, text
from tests.lab_kubernetes.contract_server import APPLY, CRDS, MERGE
from tests.lab_kubernetes.lab_kubernetes_cluster import make_pki
from tests.lab_kubernetes.real_apiserver import RealServer, explain_missing, run_real_server
from tests.real_programs import HOST, find_ports, run_program

__all__ = ["RealFlux", "RealFluxWorld", "explain_no_flux", "run_real_flux"]

_CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
_LONGEST_WAIT_S = 40.0
_PLURALS = {
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Namespace": "namespaces",
    "Deployment": "deployments",
}


@dataclass(frozen=True, slots=True)
class RealFlux:
    """A running Flux, and where its Git server finds repositories."""

    server: RealServer
    repositories: Path
    git_url: str
    charts_url: str
    plurals: dict[str, str]


def explain_no_flux() -> str:
    """Say why there is no real Flux to compare with; "" when there is one."""
    missing = [name for name in (*_CONTROLLERS, "flux") if not shutil.which(name)]
    if missing:
        return f"no {' and no '.join(missing)} on PATH"
    return explain_missing() or ("" if _find_backend() else "git has no HTTP backend here")


@contextmanager
def run_real_flux(folder: Path, charts: Path) -> Iterator[RealFlux]:
    """Run everything with its files in `folder`, and serve `charts`; ends all of it."""
    repositories = folder / "git"
    repositories.mkdir()
    with ExitStack() as running:
        server = running.enter_context(run_real_server(folder, make_pki()))
        git_url = running.enter_context(_serve_git(repositories))
        charts_url = running.enter_context(_serve_files(charts))
        plurals = _install_definitions(server)
        kubeconfig = _write_kubeconfig(folder, server)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "RUNTIME_NAMESPACE": "flux-system",
            "TUF_ROOT": str(folder / "tuf"),
        }
        artifacts, *ports = find_ports(1 + 2 * len(_CONTROLLERS))
        storage = folder / "artifacts"
        storage.mkdir()
        for name in _CONTROLLERS:
            arguments = [
                *(f"--metrics-addr={HOST}:{ports.pop()}", f"--health-addr={HOST}:{ports.pop()}"),
                # Told after each failure, as tests have no minutes.
                *("--min-retry-delay=500ms", "--max-retry-delay=1s"),
            ]
            if name == "source-controller":
                arguments += [f"--storage-path={storage}", f"--storage-addr={HOST}:{artifacts}"]
                arguments += [f"--storage-adv-addr={HOST}:{artifacts}"]
            else:
                arguments += ["--requeue-dependency=1s", "--concurrent=20"]
            running.enter_context(run_program(folder, [name, *arguments], environment))
        yield RealFlux(server, repositories, git_url, charts_url, plurals)


@dataclass(frozen=True, slots=True)
class RealFluxWorld:
    """What `FluxWorld` offers, of a real cluster."""

    http: httpx2.AsyncClient
    plurals: dict[str, str]

    async def apply(self, *objects: Object) -> None:
        """Apply manifests as a user."""
        for obj in objects:
            answer = await self.http.patch(
                self._path(obj),
                params={"fieldManager": "test", "force": "true"},
                headers={"Content-Type": APPLY},
                json=obj,
            )
            assert answer.status_code < 300, answer.text

    async def find(self, kind: tuple[str, str], name: str, namespace: str) -> Object | None:
        """Read one object."""
        answer = await self.http.get(self._path_of(kind, name, namespace))
        found: Json = answer.json() if answer.status_code == 200 else None
        return at(found) if found else None

    async def remove(self, kind: tuple[str, str], name: str, namespace: str) -> None:
        """Delete one object."""
        await self.http.delete(self._path_of(kind, name, namespace))

    async def request(self, kind: tuple[str, str], name: str, namespace: str, at_: str) -> None:
        """Ask for a reconciliation, as `flux reconcile` does."""
        body: Object = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": at_}}}
        path, headers = self._path_of(kind, name, namespace), {"Content-Type": MERGE}
        await self.http.patch(path, headers=headers, json=body)

    async def until(
        self, kind: tuple[str, str], name: str, namespace: str, holds: Callable[[Object], bool]
    ) -> Object:
        """Wait until an object is as wanted; returns it."""
        last: Object = {}
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                while not (last and holds(last)):
                    last = await self.find(kind, name, namespace) or {}
                    await asyncio.sleep(0.05)
        except TimeoutError:
            message = f"{kind[1]} {namespace}/{name} never became as wanted: {last.get('status')}"
            raise AssertionError(message) from None
        return last

    def _path(self, obj: Object) -> str:
        kind = text(obj, "apiVersion"), text(obj, "kind")
        return self._path_of(kind, name_of(obj), namespace_of(obj))

    def _path_of(self, kind: tuple[str, str], name: str, namespace: str) -> str:
        group = f"/apis/{kind[0]}" if "/" in kind[0] else f"/api/{kind[0]}"
        space = f"/namespaces/{namespace}" if namespace else ""
        plural = _PLURALS.get(kind[1]) or self.plurals[kind[1]]
        return f"{group}{space}/{plural}/{name}"


def _install_definitions(server: RealServer) -> dict[str, str]:
    """Put in what `flux install` would; returns plurals by kind."""
    printed = subprocess.run(["flux", "install", "--export"], check=True, capture_output=True)
    documents: list[Json] = [*yaml.load_all(printed.stdout, Loader=yaml.CSafeLoader)]
    crds = [at(d) for d in documents if text(d, "kind") == "CustomResourceDefinition"]
    with httpx2.Client(base_url=server.url, verify=server.context) as http:
        for crd in crds:
            http.post(CRDS, json=crd).raise_for_status()
        http.post("/api/v1/namespaces", json={"metadata": {"name": "flux-system"}})
    return {read.kind: read.plural for read in map(read_crd, crds)}


def _write_kubeconfig(folder: Path, server: RealServer) -> Path:
    def entry(part: str, **values: Json) -> list[Json]:
        return [{"name": "real", part: values}]

    path = folder / "kubeconfig"
    user = {"client-certificate": "admin.crt", "client-key": "admin.key"}
    config: Object = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "real",
        "clusters": entry("cluster", server=server.url, **{"certificate-authority": "ca.crt"}),
        "users": entry("user", **user),
        "contexts": entry("context", cluster="real", user="real"),
    }
    path.write_text(yaml.safe_dump(config))
    return path


def _find_backend() -> str:
    found = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True)
    backend = Path(found.stdout.strip()) / "git-http-backend"
    return str(backend) if backend.is_file() else ""


@contextmanager
def _serve_git(root: Path) -> Iterator[str]:
    """Serve bare repositories by git's own backend; yields the URL before their names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            return

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": HOST,
            }
            said = subprocess.run(
                [_find_backend()], input=body, env=environment, capture_output=True, check=False
            ).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            fields = [line.partition(": ") for line in head.decode().split("\r\n")]
            status = next((value for name, _, value in fields if name == "Status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for name, _, value in fields:
                if name not in {"Status", ""}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with _serve(Handler) as url:
        yield url


@contextmanager
def _serve_files(folder: Path) -> Iterator[str]:
    """Serve a folder as it is."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/denied/"):
                self.send_error(HTTPStatus.UNAUTHORIZED)
            else:
                super().do_GET()

        def translate_path(self, path: str) -> str:
            return str(folder / path.lstrip("/"))

        def log_message(self, *_: object) -> None:
            return

    with _serve(Handler) as url:
        yield url


@contextmanager
def _serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
