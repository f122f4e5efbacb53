"""Keys and secrets of a plain tree that the lab rehearses: made afresh, encrypted by sops."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.kubernetes.values import Object, at, text
from lab.standins.secrets_bundle import make_talsecret
from lab.tools import LabTools, ToolFailedError

__all__ = ["encrypt", "find_documents", "make_age_key", "make_secrets"]

_RECIPIENT = re.compile(r"\b[A-Z]+-AGE-RECIPIENT\b")


def make_age_key(path: Path, key_file: Path) -> Path:
    """Make a key, put its recipient into the tree's rules, and return where the key is."""
    identity = pyrage.x25519.Identity.generate()
    _write_private(key_file, f"{identity}\n")
    rules = path / ".sops.yaml"
    rules.write_text(_RECIPIENT.sub(str(identity.to_public()), rules.read_text()))
    return key_file.resolve()


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content)


def make_secrets(path: Path) -> None:
    """Replace the stand-ins for keys by usable ones, before sops sees the files."""
    age_key = (path.parent / "age.agekey").read_text()
    for secret in path.glob("clusters/*/talos/generated/talsecret.yaml"):
        secret.write_text(make_talsecret())
    for file, document in find_documents(path, "Secret"):
        data = at(document, "stringData")
        if "identity" in data:
            document["stringData"] = {**data, **_make_deploy_key(text(data, "known_hosts"))}
        elif "age.agekey" in data:
            document["stringData"] = {**data, "age.agekey": age_key}
        else:
            continue
        file.write_text(yaml.safe_dump(document, sort_keys=False))


def _make_deploy_key(known_hosts: str) -> Object:
    private, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    name = known_hosts.split(" ", 1)[0] or "git.lab.example"
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return {
        "identity": pem.decode(),
        "identity.pub": _format_public_key(private),
        "known_hosts": f"{name} {_format_public_key(host)}",
    }


def _format_public_key(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return public.decode()


def encrypt(path: Path, names: Sequence[str], tools: LabTools) -> None:
    """Encrypt files of the tree by its own rules.

    Raises:
        ValueError: sops refuses one.
    """
    # One process a file, since sops has no batch mode; two at a time keep both cores busy.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: _encrypt_one(path, name, tools), names))


def _encrypt_one(path: Path, name: str, tools: LabTools) -> None:
    try:
        tools.run("sops", "encrypt", "-i", name, cwd=path)
    except ToolFailedError as failed:
        said = failed.stderr.strip()
        raise ValueError(
            f"cannot be encrypted, though ENCRYPTED.txt names it: `{name}`: {said}"
        ) from failed


def find_documents(path: Path, kind: str) -> Iterator[tuple[Path, Object]]:
    """Walk over the first document of that kind in each file of the clusters and repositories."""
    for file in sorted([*path.glob("clusters/**/*.yaml"), *path.glob("repositories/**/*.yaml")]):
        content = file.read_text(errors="replace")
        if f"kind: {kind}\n" not in f"{content}\n":
            continue
        for document in yaml.load_all(content, Loader=yaml.CSafeLoader):
            if isinstance(document, dict) and document.get("kind") == kind:
                yield file, document
                break
