"""The Flux CLI: its version, and the manifests of the controllers that belong to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.drivers.process import Runner
from lifecycle.errors import DriverError

__all__ = ["Flux"]

_TIMEOUT_S = 60.0
_DEFAULT_COMPONENTS = (
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "notification-controller",
)


@dataclass(frozen=True, slots=True)
class Flux:
    """flux, used without a cluster: what it makes is applied by this tool's own hands."""

    program: str
    runner: Runner

    async def version(self) -> str:
        """Return the CLI's version, such as `v2.9.4`."""
        argv = [self.program, "version", "--client"]
        completed = await self.runner.run(argv, timeout_s=_TIMEOUT_S)
        found = re.search(r"v\d+\.\d+\.\d+\S*", completed.stdout.decode("utf-8", "replace"))
        if found is None:
            raise DriverError(f"flux does not say its version: `{self.program}`")
        return found[0]

    async def install_manifests(
        self, *, namespace: str = "flux-system", components: Sequence[str] = _DEFAULT_COMPONENTS
    ) -> bytes:
        """Return the controllers' manifests, YAML documents, in the CLI's own version.

        With the CLI's own version they are embedded in it and nothing is downloaded.
        """
        argv = [self.program, "install", "--export", "--namespace", namespace]
        argv += ["--components", ",".join(components)]
        return (await self.runner.run(argv, timeout_s=_TIMEOUT_S)).stdout
