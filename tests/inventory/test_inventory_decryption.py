"""Findings about Kustomizations that apply what SOPS encrypted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from tests.inventory.inventory_files import base, kustomization, with_component

Write = Callable[[Mapping[str, str]], Path]

FOLDER = "clusters/main/kubernetes"
STANZA = "sops: {mac: 'ENC[x]', lastmodified: '2026-01-01T00:00:00Z'}\n"
CIPHER = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {{name: claim, namespace: plex, annotations: {{{note}}}}}
{field}: {{key: "{cipher}"}}
"""
DECRYPTION = "  decryption: {provider: sops, secretRef: {name: sops-age}}\n"


def found(write: Write, secret: str, more: str = "") -> list[tuple[str, int, str]]:
    """Return what is found where a Kustomization applies a Secret."""
    files = with_component("plex", "claim.yaml", secret, more)
    findings = read_repository(write(files), "main").findings
    return [
        (item.position.path, item.position.line, item.message)
        for item in findings
        if item.id == "decryption-missing"
    ]


@pytest.mark.parametrize(
    ("field", "ending"),
    [
        ("stringData", "which is applied with its ciphertext"),
        ("data", "which Flux therefore refuses"),
    ],
)
def test_encrypted_secret_that_nobody_decrypts_is_found(
    write: Write, field: str, ending: str
) -> None:
    """The Kustomization has the place, the message the file; both ways to write it."""
    secret = SECRET.format(field=field, cipher=CIPHER, note="") + STANZA
    where = f"{FOLDER}/one/app/claim.yaml:1"
    message = f"but applies the encrypted Secret/claim of {where}, {ending}"

    assert [(f"{FOLDER}/one/ks.yaml", 5, f"`plex` has no decryption, {message}")] == found(
        write, secret
    )


def test_secret_that_is_decrypted_or_spared_is_not_found(write: Write) -> None:
    """Decryption is set, nothing is encrypted, or the object says that it is to stay as it is."""
    spared = "kustomize.toolkit.fluxcd.io/decrypt: disabled"
    plain = SECRET.format(field="stringData", cipher="a", note="")
    secret = SECRET.format(field="stringData", cipher=CIPHER, note="") + STANZA

    assert [] == found(write, plain)
    assert [] == found(write, secret, DECRYPTION)
    assert [] == found(write, SECRET.format(field="data", cipher=CIPHER, note=spared) + STANZA)


def test_what_a_key_decrypts_here_is_still_encrypted_there(write: Write) -> None:
    """With a key the file reads in clear; Flux, which is not told to decrypt, has ciphertext."""
    secret = SECRET.format(note="", field="stringData", cipher=CIPHER) + STANZA
    path = f"{FOLDER}/claim.yaml"
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "claim.yaml"),
            "claim.yaml": secret,
        }
    )
    clear = SECRET.format(note="", field="stringData", cipher="clear")
    findings = read_repository(write(files), "main", {path: clear}).findings

    assert "decryption-missing" in {finding.id for finding in findings}
