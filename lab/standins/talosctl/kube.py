"""The little of the Kubernetes API that drains and upgrades need, over `http.client`."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from lab.standins.talosctl.client import Client, decode_base64
from lab.standins.talosctl.commands.kubeconfig import extract_kubeconfig
from lab.standins.talosctl.commands.streams import read_stream
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.tls import Credentials, load_client
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text, from_untyped

__all__ = ["Kube", "KubeError", "open_kube"]

_PORT = 6443
_TIMEOUT_S = 30.0
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_FIRST_FAILURE = 400  # of HTTP's status codes


class KubeError(Exception):
    """The API server refused, or nothing answered (`status` 0)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Kube(NamedTuple):
    """An API server and who we are to it."""

    host: str
    port: int
    context: ssl.SSLContext

    def get(self, path: str) -> JsonMap:
        """Read an object or a list."""
        return self._ask("GET", path)

    def merge(self, path: str, body: Json) -> JsonMap:
        """Merge a patch into an object."""
        return self._ask("PATCH", path, body, _MERGE)

    def post(self, path: str, body: Json) -> JsonMap:
        """Create an object, or ask for an eviction."""
        return self._ask("POST", path, body)

    def put(self, path: str, body: Json) -> JsonMap:
        """Replace an object."""
        return self._ask("PUT", path, body)

    def apply(self, path: str, body: Json) -> JsonMap:
        """Apply an object server-side as Talos does, taking over fields of others."""
        query = "fieldManager=talos&force=true"
        return self._ask("PATCH", f"{path}{'&' if '?' in path else '?'}{query}", body, _APPLY)

    def delete(self, path: str) -> JsonMap:
        """Delete an object, and then what it owns."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        return self._ask("DELETE", path, {**options})

    def _ask(
        self, method: str, path: str, body: Json = None, kind: str = "application/json"
    ) -> JsonMap:
        connection = http.client.HTTPSConnection(
            self.host, self.port, context=self.context, timeout=_TIMEOUT_S
        )
        sent = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, sent, {"Content-Type": kind} if sent else {})
            answer = connection.getresponse()
            document = as_map(from_untyped(json.loads(answer.read() or b"{}")))
        except (OSError, ValueError, http.client.HTTPException) as error:
            address = f"https://{self.host}:{self.port}{path}"
            said = getattr(error, "strerror", None) or str(error)
            raise KubeError(f'{method.title()} "{address}": {said.lower()}') from error
        finally:
            connection.close()
        if answer.status >= _FIRST_FAILURE:
            raise KubeError(as_text(document.get("message")), answer.status)
        return document


def open_kube(client: Client) -> Kube:
    """Fetch the kubeconfig from the endpoint itself, and read it; it stays in memory.

    Raises:
        CommandError: it cannot be had.
    """
    endpoint = client.again()
    endpoint.nodes = ()
    prefix = "error fetching kubeconfig from Talos API"
    archive = read_stream(endpoint, "Kubeconfig", {}, opening=prefix, reading=prefix)
    import yaml  # noqa: PLC0415  slow to import, and only drains need it

    document = as_map(from_untyped(yaml.safe_load(extract_kubeconfig(archive))))
    cluster = _first(document, "clusters", "cluster")
    user = _first(document, "users", "user")
    server = urlsplit(as_text(cluster.get("server")))
    context = ssl.create_default_context(
        cadata=decode_base64(as_text(cluster.get("certificate-authority-data"))).decode()
    )
    # Talos' CAs have no Authority Key Identifier, which Python 3.13 would ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    certificate = decode_base64(as_text(user.get("client-certificate-data")))
    key = decode_base64(as_text(user.get("client-key-data")))
    load_client(context, Credentials(crt=certificate, key=key))
    if not server.hostname:
        raise CommandError(f"error building REST config: invalid server: {server.geturl()}")
    return Kube(server.hostname, server.port or _PORT, context)


def _first(document: JsonMap, key: str, inner: str) -> JsonMap:
    items = as_list(document.get(key))
    return as_map(as_map(items[0]).get(inner)) if items else {}
