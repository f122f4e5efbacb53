"""What the certificates in a talosconfig say."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

__all__ = ["Certificate", "describe_certificate", "read_certificate", "read_talos_ca"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The few fields that a run needs."""

    subject: str
    not_after: datetime


def read_certificate(talosconfig: Path) -> Certificate | None:
    """Return the client certificate of the current context; None when there is none to read."""
    from cryptography import x509  # noqa: PLC0415 (30 ms that most runs need only here)

    try:
        loaded = x509.load_pem_x509_certificate(_read_field(talosconfig, "crt"))
    except ValueError:
        return None
    return Certificate(loaded.subject.rfc4514_string(), loaded.not_valid_after_utc)


def describe_certificate(certificate: Certificate) -> str:
    """Say whose it is and until when."""
    return f"{certificate.subject} until {certificate.not_after:%Y-%m-%d}"


def read_talos_ca(talosconfig: Path) -> bytes:
    """Return the PEM of the Talos CA of the current context; empty when there is none to read."""
    return _read_field(talosconfig, "ca")


def _read_field(talosconfig: Path, name: str) -> bytes:
    """Return a decoded field of the current context; empty when it cannot be read."""
    try:
        document = yaml.safe_load(talosconfig.read_text(encoding="utf-8"))
        context = document["contexts"][document["context"]]
        return base64.b64decode(context[name])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return b""
