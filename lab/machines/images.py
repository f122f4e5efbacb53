"""Installer images: which Talos version and which schematic a reference names."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["InstallerImage", "read_tag"]

_SCHEMATIC = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class InstallerImage:
    """What an installer image holds; `schematic` is "" unless the image factory built it."""

    version: str
    schematic: str = ""

    @classmethod
    def read(cls, reference: str) -> InstallerImage | None:
        """Read a reference such as `factory.talos.dev/metal-installer/ID:v1.13.9`.

        Returns:
            None when the reference names no tag.
        """
        version = read_tag(reference)
        if not version:
            return None
        found = _SCHEMATIC.search(reference.partition("@")[0])
        return cls(version, found[0] if found else "")


def read_tag(reference: str) -> str:
    """Read the tag of an image reference, leaving a digest out; "" when there is none."""
    name, _, tag = reference.partition("@")[0].rpartition(":")
    return tag if name and "/" not in tag else ""
