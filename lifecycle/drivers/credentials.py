"""What the Secret of a Flux source holds, and how git and helm are given it.

Keys as source-controller reads them: `identity` and `known_hosts` for SSH;
`username` and `password`, or `bearerToken`, for HTTP; `.dockerconfigjson` for registries;
`ca.crt` (formerly `caFile`) for a server's CA. Nothing of it ever stands in an argument list: it
goes through variables, or through files of the run's private folder.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lifecycle.drivers.documents import JsonObject, object_at
from lifecycle.drivers.files import write_private
from lifecycle.secrets import Secret

__all__ = ["Credential", "GitAccess", "HelmAccess", "make_git_access", "make_helm_access"]

_CONNECT_S = 20  # a host that does not answer; git's own patience is that of the kernel
_HEADER = "TALOS_LIFECYCLE_GIT_HEADER"


@dataclass(frozen=True, slots=True)
class Credential:
    """The data of a Secret, decoded."""

    data: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, *secrets: JsonObject) -> Credential:
        """Read Secrets; a later one wins, and so does `stringData`, as for the API server.

        What is not base64 is left out, since the API server refuses such a Secret, and what SOPS
        has not decrypted.
        """
        data: dict[str, bytes] = {}
        for secret in secrets:
            for key, value in object_at(secret, "data").items():
                try:
                    data[key] = base64.b64decode(str(value), validate=True)
                except (binascii.Error, ValueError):
                    continue
            clear = object_at(secret, "stringData")
            data |= {
                key: str(value).encode()
                for key, value in clear.items()
                if not str(value).startswith("ENC[")
            }
        return cls(data)

    def text(self, *keys: str) -> str:
        """Return the first of these keys that holds anything; empty when none does."""
        found = (self.data[key].decode("utf-8", "replace") for key in keys if self.data.get(key))
        return next(found, "")

    @property
    def ca(self) -> str:
        """The PEM of a server's CA."""
        return self.text("ca.crt", "caFile")


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Options before git's command, and variables, that make git use a credential."""

    options: tuple[str, ...] = ()
    env: Mapping[str, str | Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HelmAccess:
    """Variables, and files, that make helm use a credential.

    `repository` is the name under which an HTTP repository stands in the file of repositories;
    empty for a registry.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    ca_file: Path | None = None


def make_git_access(url: str, credential: Credential, folder: Path) -> GitAccess | None:
    """Write what git needs into `folder`, which must be private and this source's own.

    Returns:
        None when git cannot be given what the Secret holds: a GitHub App, a key with a
        passphrase, nothing for such a URL.
    """
    scheme = urlsplit(url).scheme
    if scheme == "ssh":
        return _make_ssh_access(credential, folder)
    if scheme not in ("http", "https"):
        return None
    header = _make_header(credential)
    if not header and not credential.ca:
        return None
    options: tuple[str, ...] = ()
    if credential.ca:
        options += ("-c", f"http.sslCAInfo={_write(folder / 'ca.crt', credential.ca)}")
    if header:
        options += (f"--config-env=http.{url}.extraHeader={_HEADER}",)
    return GitAccess(options, {_HEADER: Secret(f"Authorization: {header}")} if header else {})


def make_helm_access(
    url: str, credential: Credential, folder: Path, *, pass_on: bool = False
) -> HelmAccess | None:
    """Write what helm needs into `folder`, which must be private and this source's own.

    `pass_on` gives the credential to other hosts, too, where the index names them.

    Returns:
        None when the Secret holds nothing that helm takes for such a URL.
    """
    name, password = credential.text("username"), credential.text("password")
    ca_file = _write(folder / "ca.crt", credential.ca) if credential.ca else None
    if url.startswith("oci://"):
        config = credential.text(".dockerconfigjson") or _make_registry_config(url, name, password)
        if not config and ca_file is None:
            return None
        kept = {"HELM_REGISTRY_CONFIG": str(_write(folder / "registry.json", config))}
        return HelmAccess(kept if config else {}, ca_file=ca_file)
    if not name:
        return HelmAccess(ca_file=ca_file) if ca_file else None
    entry = {"name": "source", "url": url, "username": name, "password": password}
    entry |= {"caFile": str(ca_file)} if ca_file else {}
    listed = json.dumps({"repositories": [{**entry, "pass_credentials_all": pass_on}]})
    env = {
        "HELM_REPOSITORY_CONFIG": str(_write(folder / "repositories.yaml", listed)),
        "HELM_REPOSITORY_CACHE": str(folder / "index"),
    }
    return HelmAccess(env, "source", ca_file)


def _make_ssh_access(credential: Credential, folder: Path) -> GitAccess | None:
    """Use this key and these hosts, and nothing of the user's own."""
    identity = credential.text("identity")
    if not identity or credential.text("password"):
        return None  # a passphrase has no way to ssh but a program that ssh starts
    key = _write(folder / "identity", identity)
    hosts = _write(folder / "known_hosts", credential.text("known_hosts"))
    options = (
        *("-F", "none", "-i", str(key)),
        *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"),
        *("-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=none"),
        *("-o", "StrictHostKeyChecking=yes", "-o", f"ConnectTimeout={_CONNECT_S}"),
    )
    return GitAccess(env={"GIT_SSH_COMMAND": shlex.join(("ssh", *options))})


def _make_header(credential: Credential) -> str:
    token, name = credential.text("bearerToken"), credential.text("username")
    if token:
        return f"Bearer {token}"
    return f"Basic {_join(name, credential.text('password'))}" if name else ""


def _make_registry_config(url: str, name: str, password: str) -> str:
    if not name:
        return ""
    return json.dumps({"auths": {urlsplit(url).netloc: {"auth": _join(name, password)}}})


def _join(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def _write(path: Path, text: str) -> Path:
    # OpenSSH refuses a key whose last line does not end; Go's reader takes it.
    write_private(path, f"{text.rstrip()}\n".encode())
    return path
