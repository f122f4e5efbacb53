"""What the contract tests of registries share: where charts lie, and how both Fluxes say it.

The real one asks a registry on loopback; the lab has charts in a folder, and its faults stand for
what a registry refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.flux.faults import SourceFault
from lab.kubernetes.values import Json, Object
from tests.lab_flux.flux_contract import Flux, LabWorld

__all__ = [
    "ARTIFACT",
    "CHART",
    "LAB_HOST",
    "REPOSITORY",
    "SILENT",
    "Served",
    "break_lab",
    "make",
    "settle",
]

ARTIFACT = ("source.toolkit.fluxcd.io/v1", "OCIRepository")
REPOSITORY = (ARTIFACT[0], "HelmRepository")
CHART = (ARTIFACT[0], "HelmChart")
SILENT = "127.0.0.1:1"
LAB_HOST = "registry.lab.example:5000"


@dataclass(frozen=True)
class Served:
    """Where the charts lie, and the digest of one."""

    host: str
    digest: str


def break_lab(flux: Flux, name: str, fault: SourceFault) -> None:
    """Make in the lab what the real one's registry does."""
    if isinstance(flux.cluster, LabWorld):
        flux.cluster.break_sources(f"{flux.space}/{name}", fault)


def make(kind: tuple[str, str], name: str, space: str, **spec: Json) -> Object:
    """Make an object of Flux."""
    metadata: Object = {"name": name, "namespace": space}
    full: Object = {"interval": "1h", **spec}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": full}


def settle(said: str, flux: Flux, host: str) -> str:
    """Leave out of a text what is another every time."""
    for given, name in ((flux.space, "SPACE"), (host, "HOST"), (SILENT, "HOST")):
        said = said.replace(given, name)
    return re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", said)
