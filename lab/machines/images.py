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

    @property
    def minor(self) -> int | None:
        """The minor version; None when it cannot be read."""
        return _read_minor(self.version)

    def find_hop_problem(self, host: str) -> str:
        """Find why a machine that runs version `host` cannot be upgraded to this; "" if it can.

        Two minors up and one down (`pkg/machinery/compatibility` of Talos: 1.13 takes hosts from
        1.11.0 up to, not including, 1.15.0); a version that cannot be read is let through.
        """
        own, other = _read_minor(self.version), _read_minor(host)
        if own is None or other is None:
            return ""
        pair = f"host version {host.removeprefix('v')} is too"
        if other < own - 2:
            return f"{pair} old to upgrade to Talos {self.version.removeprefix('v')}"
        if other > own + 1:
            return f"{pair} new to downgrade to Talos {self.version.removeprefix('v')}"
        return ""

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


def _read_minor(version: str) -> int | None:
    found = re.match(r"v?1\.(\d+)\.", version)
    return int(found[1]) if found else None


def read_tag(reference: str) -> str:
    """Read the tag of an image reference, leaving a digest out; "" when there is none."""
    name, _, tag = reference.partition("@")[0].rpartition(":")
    return tag if name and "/" not in tag else ""
