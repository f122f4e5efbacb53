"""Ask an API server for its version, with the credentials of a kubeconfig."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from lab.standins.talosctl.failure import CommandError
from lab.standins.values import JsonMap, as_list, as_map, as_text, from_untyped
from lab.tls import load_identity

__all__ = ["ask_version"]

_TIMEOUT_S = 20.0


def ask_version(kubeconfig: Path, context: str) -> str:
    """The server's version, such as `v1.36.3`.

    Raises:
        CommandError: In the words of the Flux CLI.
    """
    config = as_map(from_untyped(yaml.safe_load(kubeconfig.read_text())))
    chosen = _pick(config, "contexts", context or as_text(config.get("current-context")))
    cluster = _pick(config, "clusters", as_text(chosen.get("cluster")))
    user = _pick(config, "users", as_text(chosen.get("user")))
    server = urlsplit(as_text(cluster.get("server")))
    host, port = server.hostname or "localhost", server.port or 443
    headers: dict[str, str] = {}
    if user.get("token"):
        headers["Authorization"] = f"Bearer {as_text(user['token'])}"
    connection = http.client.HTTPSConnection(
        host, port, timeout=_TIMEOUT_S, context=_make_context(cluster, user)
    )
    url = f"{server.scheme}://{host}:{port}/version"
    try:
        connection.request("GET", "/version", headers=headers)
        answer = connection.getresponse().read()
        return as_text(as_map(from_untyped(json.loads(answer))).get("gitVersion"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(
            f'Kubernetes API call failed: Get "{url}": dial tcp {host}:{port}: connect: {reason}'
        ) from error
    except ValueError as error:
        raise CommandError("Kubernetes version can't be determined") from error
    finally:
        connection.close()


def _pick(config: JsonMap, part: str, name: str) -> JsonMap:
    for item in as_list(config.get(part)):
        entry = as_map(item)
        if entry.get("name") == name:
            return as_map(entry.get(part.removesuffix("s")))
    return {}


def _make_context(cluster: JsonMap, user: JsonMap) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = _read(cluster, "certificate-authority")
    if authority:
        context.load_verify_locations(cadata=authority.decode())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _read(user, "client-certificate"), _read(user, "client-key")
    if certificate:
        load_identity(context, certificate, key)
    return context


def _read(entry: JsonMap, name: str) -> bytes:
    if entry.get(f"{name}-data"):
        return base64.b64decode(as_text(entry[f"{name}-data"]))
    return Path(as_text(entry[name])).read_bytes() if entry.get(name) else b""
