"""Kustomize as kubectl carries it: a folder in, YAML documents out."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.process import Runner

__all__ = ["Kustomize"]

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Kustomize:
    """`kubectl kustomize`, with files allowed from outside the folder, as Flux allows them."""

    program: str
    runner: Runner

    async def build(self, folder: Path, *, overlay: JsonObject | None = None) -> bytes:
        """Build a folder, under an overlay when one is given.

        Args:
            folder: Holds a kustomization file.
            overlay: Fields of a kustomization laid over it, such as `patches` or `namespace`;
                its `resources` are set here.

        Raises:
            CommandFailedError: It does not build; the text names the file.
        """
        if not overlay:
            return await self._build(folder)
        with tempfile.TemporaryDirectory() as name:
            return await self._build(_write_overlay(Path(name), folder, overlay))

    async def _build(self, folder: Path) -> bytes:
        argv = [self.program, "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder)]
        return (await self.runner.run(argv, timeout_s=_TIMEOUT_S)).stdout


def _write_overlay(above: Path, folder: Path, overlay: JsonObject) -> Path:
    """Write a kustomization over `folder`, which Kustomize takes as a relative path only."""
    above = above.resolve()
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **overlay,
        "resources": [os.path.relpath(folder.resolve(), above)],
    }
    (above / "kustomization.yaml").write_text(json.dumps(document))
    return above
