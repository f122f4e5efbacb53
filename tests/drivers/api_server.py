"""A small Kubernetes API server on loopback, with mutual TLS: enough for what the client sends."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lifecycle.drivers.documents import JsonObject
from lifecycle.secrets import Secret

DECLARED = "10.41.0.11"
_RESOURCES: dict[str, list[dict[str, str | bool | list[str]]]] = {
    "/api/v1": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["get"]},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": ["get"]},
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        {"name": "pods/eviction", "kind": "Eviction", "namespaced": True, "verbs": ["create"]},
    ],
    "/apis/certificates.k8s.io/v1": [
        {
            "name": "certificatesigningrequests",
            "kind": "CertificateSigningRequest",
            "namespaced": False,
            "verbs": ["get"],
        },
    ],
}


@dataclass
class Authority:
    """A CA that signs for tests; a second one is a stranger."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.certificate = self._signed("kubernetes", self.key.public_key(), authority=True)

    def issue(self, name: str, addresses: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
        """Return a certificate and its key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key(), addresses)
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        addresses: tuple[str, ...] = (),
        *,
        authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Asked:
    """One request that the server got."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: JsonObject


@dataclass
class ApiServer:
    """Objects by path, canned answers before them, watch lines by collection."""

    authority: Authority
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    objects: dict[str, JsonObject] = field(default_factory=dict)
    refusals: dict[str, tuple[int, JsonObject | str]] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)  # how often a connection ends instead
    watches: dict[str, list[list[JsonObject | str]]] = field(default_factory=dict)
    hold: asyncio.Event | None = None  # what watches wait for at their end
    callers: set[str] = field(default_factory=set)  # one for each connection
    resources: dict[str, list[dict[str, str | bool | list[str]]]] = field(
        default_factory=lambda: dict(_RESOURCES)
    )

    def kubeconfig(self, server: str = f"https://{DECLARED}:6443") -> Secret:
        """Return an admin kubeconfig whose server is the given one."""
        certificate, key = self.authority.issue("admin")
        ca = self.authority.certificate.public_bytes(serialization.Encoding.PEM)
        document = {
            "current-context": "admin@lab",
            "contexts": [{"name": "admin@lab", "context": {"cluster": "lab", "user": "admin"}}],
            "clusters": [
                {
                    "name": "lab",
                    "cluster": {"server": server, "certificate-authority-data": _b64(ca)},
                }
            ],
            "users": [
                {
                    "name": "admin",
                    "user": {
                        "client-certificate-data": _b64(certificate),
                        "client-key-data": _b64(key),
                    },
                }
            ],
        }
        return Secret(json.dumps(document))

    @asynccontextmanager
    async def listening(self, folder: Path) -> AsyncIterator[ApiServer]:
        """Serve on 127.0.0.1 with a certificate for it and for the declared address."""
        runner = web.AppRunner(self._application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.server_context(folder))
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else {}
        query = dict(request.query)
        if request.transport is not None:
            self.callers.add(str(request.transport.get_extra_info("peername")))
        self.asked.append(Asked(request.method, request.path, query, request.content_type, body))
        if self.breaks.get(request.path, 0) and request.transport:
            self.breaks[request.path] -= 1
            request.transport.abort()
        if request.path in self.refusals:
            status, said = self.refusals[request.path]
            if isinstance(said, str):
                return web.Response(status=status, text=said, headers={"Retry-After": "7"})
            return web.json_response(said, status=status)
        if request.path in self.resources:
            return web.json_response({"resources": self.resources[request.path]})
        if query.get("watch"):
            return await self._stream(request)
        if request.method in {"PATCH", "PUT", "POST"}:
            return web.json_response(body)
        key = request.path + query.get("continue", "")
        whole = f"{key}?whole"  # what a list that asks for no pages gets, where that differs
        return self._stored(whole if "limit" not in query and whole in self.objects else key)

    def _stored(self, key: str) -> web.Response:
        if key in self.objects:
            code = self.objects[key].get("code")
            status = code if isinstance(code, int) else 200
            return web.json_response(self.objects[key], status=status)
        return web.json_response({"code": 404, "reason": "NotFound", "message": "none"}, status=404)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        batches = self.watches.get(request.path, [])
        for event in batches.pop(0) if batches else []:
            line = event if isinstance(event, str) else json.dumps(event) + "\n"
            await response.write(line.encode())
        if self.hold is not None:
            await self.hold.wait()
        await response.write_eof()
        return response

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """Make the TLS of a server that wants a client's certificate."""
        certificate, key = self.authority.issue("kube-apiserver", ("127.0.0.1", DECLARED))
        (folder / "server.pem").write_bytes(certificate + key)
        ca = self.authority.certificate.public_bytes(serialization.Encoding.PEM)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca.decode())
        # Python 3.13 is strict; the CA here is as bare as some that clusters have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.load_cert_chain(folder / "server.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
