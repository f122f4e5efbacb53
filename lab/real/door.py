"""Webhooks and kubelets: where a real API server's calls into the cluster end up.

An API server dials services through a proxy when it is told to (`--egress-selector-config-file`).
Here is that proxy, and behind it whoever would answer: it agrees, as webhooks of the lab do, or
fails as their pods, certificates and faults have it. In threads of its own, since the lab stands
still while it writes, and a write is what a webhook is asked about.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.serving import NO_CONTAINERS
from lab.kubernetes.values import Object, at, maps, text
from lab.ports import KubernetesPki
from lab.sockets import choose_socket
from lab.tls import load_identity

if TYPE_CHECKING:
    from lab.kubernetes.values import Json

__all__ = ["NO_CERTIFICATE", "Answer", "Door"]

_SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
# Wall seconds; an API server gives a webhook 30 s at most.
_LONGEST_S = 35.0
_UNTRUSTED, _SILENT = "x509", "deadline"
# What a kubelet does without its serving certificate: TLS 1.2's record of a fatal alert 80.
NO_CERTIFICATE = "no certificate"
_INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"
_HELLO = 4096


class Answer:
    """How the webhook, or the kubelet, behind one address answers."""

    def __init__(
        self,
        service: str = "",
        failure: str = "",
        *,
        denies: bool = False,
        is_kubelet: bool = False,
    ) -> None:
        self.service = service  # `name.namespace.svc`, or a node
        self.is_kubelet = is_kubelet
        self.failure = failure
        self.denies = denies


class Door:
    """The proxy, from `open` to `close`; `ask` tells how the webhook at an address answers."""

    def __init__(self, folder: Path, ask: Callable[[str], Answer]) -> None:
        self.pki: KubernetesPki | None = None
        self._ask = ask
        self._contexts: dict[tuple[bytes, str, bool], ssl.SSLContext] = {}
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        self._folder = folder
        self._path = folder

    @property
    def path(self) -> Path:
        """Where the proxy listens; it begins to at the first question."""
        if self._server is None:
            door = self

            class Handler(socketserver.BaseRequestHandler):
                def handle(self) -> None:
                    with contextlib.suppress(OSError):
                        door.let_in(self.request)

            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = choose_socket(self._folder, "egress.sock")
            self._server = socketserver.ThreadingUnixStreamServer(str(self._path), Handler)
            self._server.daemon_threads = True
            threading.Thread(
                target=self._server.serve_forever, name="lab webhooks", daemon=True
            ).start()
        return self._path

    def close(self) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self._path.unlink(missing_ok=True)
            if self._path.parent != self._folder:
                self._path.parent.rmdir()  # made for it alone

    def let_in(self, connection: socket.socket) -> None:
        """Answer one connection of an API server: CONNECT, TLS, and a review."""
        connection.settimeout(_LONGEST_S)
        head = _read_head(connection)
        answer = self._ask(head.split(" ")[1] if " " in head else "")
        if _SILENT in answer.failure:
            time.sleep(_LONGEST_S)
            return
        is_refused = answer.failure not in {"", NO_CERTIFICATE}
        if is_refused and _UNTRUSTED not in answer.failure:
            reason = f"503 {answer.failure}"
            connection.sendall(f"HTTP/1.1 {reason}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        connection.sendall(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        if answer.failure == NO_CERTIFICATE:
            connection.recv(_HELLO)
            connection.sendall(_INTERNAL_ERROR)
            return
        context = self._make_context(answer.service, is_trusted=not answer.failure)
        with context.wrap_socket(connection, server_side=True) as wrapped:
            if answer.is_kubelet:
                _Kubelet(wrapped)
            else:
                _Reviewer(wrapped, answer)

    def _make_context(self, service: str, *, is_trusted: bool) -> ssl.SSLContext:
        pki = self.pki
        if pki is None:
            raise OSError("no cluster was created")
        key = (pki.ca_crt, service, is_trusted)
        if key not in self._contexts:
            # Whom no API server trusts: etcd's CA, which signs for etcd only.
            issuer = pki if is_trusted else KubernetesPki(pki.etcd_ca_crt, pki.etcd_ca_key)
            pair = issue_certificate(issuer, service[:64], (), names=(service,), usages=_SERVER)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            load_identity(context, *pair)
            self._contexts[key] = context
        return self._contexts[key]


class _Reviewer(BaseHTTPRequestHandler):
    """Answers one review: the next one comes anew, and may find another answer."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._answer = answer
        # The class wants a server to belong to, and looks for nothing in it.
        super().__init__(connection, ("", 0), cast("socketserver.BaseServer", None))

    def do_POST(self) -> None:
        """Answer one review."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        body = json.dumps(_review(asked, denies=self._answer.denies)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the class's own name
        """Say nothing."""


class _Kubelet(BaseHTTPRequestHandler):
    """Answers one request to a kubelet: it is well, and has no container."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection, ("", 0), cast("socketserver.BaseServer", None))

    def do_GET(self) -> None:
        """Answer a probe, or a wish for logs."""
        is_probe = self.path.partition("?")[0] == "/healthz"
        self._say(*((200, "ok") if is_probe else (500, NO_CONTAINERS)))

    def do_POST(self) -> None:
        """Refuse to execute, attach or forward."""
        self._say(500, NO_CONTAINERS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the class's own name
        """Say nothing."""

    def _say(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text.encode())


def _read_head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            break
        head += piece
    return head.partition(b"\r\n")[0].decode("latin-1")


def _review(asked: Object, *, denies: bool) -> Object:
    """Agree to what is asked, or do not; convert by name alone."""
    request = at(asked, "request")
    response: Object = {"uid": text(request, "uid")}
    if text(asked, "kind") == "ConversionReview":
        version = text(request, "desiredAPIVersion")
        converted: list[Json] = [{**obj, "apiVersion": version} for obj in maps(request, "objects")]
        response.update({"convertedObjects": converted, "result": {"status": "Success"}})
    else:
        response["allowed"] = not denies
        if denies:
            response["status"] = {"message": "the lab was told to", "code": 403}
    return {"apiVersion": asked["apiVersion"], "kind": asked["kind"], "response": response}
