"""A kubeconfig as a value, and the TLS context that it stands for."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from lifecycle.drivers.documents import Json, JsonObject, find, list_at, object_at, text_at
from lifecycle.errors import DriverError
from lifecycle.secrets import Secret

__all__ = ["Kubeconfig", "parse_kubeconfig"]

_API_PORT = 6443


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The current context of a kubeconfig: a server and an identity, certificates as PEM."""

    server: str
    ca: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    key: Secret
    token: Secret
    cluster: str
    user: str

    @property
    def host(self) -> str:
        """The server's host as declared."""
        return urlsplit(self.server).hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        return urlsplit(self.server).port or _API_PORT

    def tls_context(self) -> ssl.SSLContext:
        """Make the context that trusts this CA only and shows this client certificate.

        The chain and the server's name are verified. VERIFY_X509_STRICT is dropped: Python 3.13
        sets it and it rejects CAs without an Authority Key Identifier, which Talos makes.
        """
        context = ssl.create_default_context(
            ssl.Purpose.SERVER_AUTH, cadata=self.ca.decode("ascii")
        )
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.certificate:
            _load_identity(context, self.certificate, self.key)
        return context


def parse_kubeconfig(text: Secret) -> Kubeconfig:
    """Read the current context of a kubeconfig with embedded credentials.

    Raises:
        DriverError: It is no kubeconfig, or its credentials are not embedded (files, exec
            plugins): nothing here may start programs or read the user's files.
    """
    try:
        document: Json = yaml.load(text.reveal(), Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        # The parser's message quotes the text around the fault, which may be a key.
        raise _unusable("it is no YAML") from None
    context = _named(document, "contexts", "context", text_at(document, "current-context"))
    cluster_name, user_name = text_at(context, "cluster"), text_at(context, "user")
    cluster = _named(document, "clusters", "cluster", cluster_name)
    user = _named(document, "users", "user", user_name)
    config = Kubeconfig(
        server=text_at(cluster, "server"),
        ca=_decoded(cluster, "certificate-authority-data"),
        certificate=_decoded(user, "client-certificate-data"),
        key=Secret(_decoded(user, "client-key-data")),
        token=Secret(text_at(user, "token")),
        cluster=cluster_name,
        user=user_name,
    )
    if not config.server or not config.ca:
        raise _unusable("its current context has no server with an embedded CA")
    if not config.certificate and not config.token.reveal():
        raise _unusable("its current context has no embedded certificate or token")
    return config


def _named(document: Json, plural: str, singular: str, name: str) -> JsonObject:
    entries: Sequence[Json] = list_at(document, plural)
    found = next((entry for entry in entries if find(entry, "name") == name), None)
    return object_at(found, singular)


def _decoded(document: JsonObject, key: str) -> bytes:
    try:
        return base64.b64decode(text_at(document, key), validate=True)
    except binascii.Error:
        raise _unusable(f"`{key}` is not base64") from None


def _unusable(reason: str) -> DriverError:
    return DriverError(
        f"kubeconfig is not usable: {reason}", hint="take it from a control plane again"
    )


def _load_identity(context: ssl.SSLContext, certificate: bytes, key: Secret) -> None:
    """Give the context its certificate; OpenSSL reads files only, so one that is on no disk."""
    pem = certificate + b"\n" + key.reveal()
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("identity")
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; no memfd outside Linux
        path = Path(folder, "identity.pem")
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
