"""Helm: charts rendered without a cluster, and charts fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle.drivers.credentials import HelmAccess
from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.process import Runner
from lifecycle.secrets import Secret

__all__ = ["Helm", "Rendering"]

_RENDER_TIMEOUT_S = 120.0
_PULL_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Rendering:
    """What to render: a release as a HelmRelease describes it."""

    release: str
    namespace: str
    chart: Path
    values: JsonObject = field(default_factory=dict, repr=False)
    api_versions: tuple[str, ...] = ()
    kubernetes_version: str = ""
    include_crds: bool = False
    hooks: bool = True


@dataclass(frozen=True, slots=True)
class Helm:
    """helm with folders of its own, so that the user's repositories and plugins stay out of it."""

    program: str
    runner: Runner
    home: Path

    async def template(self, rendering: Rendering) -> Secret:
        """Render a chart to YAML documents; values go through stdin, and Secrets may come out.

        Raises:
            CommandFailedError: The chart does not render with these values.
        """
        argv = [self.program, "template", rendering.release, str(rendering.chart)]
        argv += ["--namespace", rendering.namespace, "--values", "-"]
        argv += ["--include-crds"] if rendering.include_crds else []
        argv += [] if rendering.hooks else ["--no-hooks"]
        if rendering.kubernetes_version:
            argv += ["--kube-version", rendering.kubernetes_version]
        for version in rendering.api_versions:
            argv += ["--api-versions", version]
        values = Secret(json.dumps(rendering.values))
        completed = await self.runner.run(
            argv, timeout_s=_RENDER_TIMEOUT_S, env=self._env(), stdin=values
        )
        return Secret(completed.stdout)

    async def pull(
        self,
        url: str,
        name: str,
        version: str,
        destination: Path,
        *,
        plain_http: bool = False,
        access: HelmAccess | None = None,
    ) -> None:
        """Fetch a chart's archive into a folder, from an OCI or an HTTP repository.

        Args:
            url: `oci://host/path` without the chart's name, or the URL of an HTTP repository.
            name: The chart's name.
            version: The exact version.
            destination: Folder for `<name>-<version>.tgz`.
            plain_http: The OCI registry speaks HTTP without TLS.
            access: A credential; the source is asked without one otherwise.

        Raises:
            CommandFailedError: There is no such chart, or the repository cannot be reached.
        """
        access = access or HelmAccess()
        chart = await self._address(url, name, access)
        argv = [self.program, "pull", *chart, "--version", version]
        argv += ["--destination", str(destination)]
        argv += ["--plain-http"] if plain_http and url.startswith("oci://") else []
        await self._ask(argv, access)

    async def show(
        self, url: str, name: str, version: str, *, access: HelmAccess | None = None
    ) -> None:
        """Ask a chart's repository for its Chart.yaml; keeps nothing.

        Arguments as of `pull`; an empty version is the newest.

        Raises:
            CommandFailedError: There is no such chart, or the repository cannot be reached.
        """
        access = access or HelmAccess()
        chart = await self._address(url, name, access)
        argv = [self.program, "show", "chart", *chart]
        argv += ["--version", version] if version else []
        await self._ask(argv, access)

    async def _address(self, url: str, name: str, access: HelmAccess) -> list[str]:
        """Return the arguments that name a chart at its source."""
        if access.repository:
            # Only a repository that is listed is asked with its credential from a file.
            await self._ask([self.program, "repo", "update", access.repository], access)
            return [f"{access.repository}/{name}"]
        is_oci = url.startswith("oci://")
        return [f"{url.rstrip('/')}/{name}"] if is_oci else [name, "--repo", url]

    async def _ask(self, argv: Sequence[str], access: HelmAccess) -> None:
        env = {**self._env(), **access.env}
        if access.ca_file and not access.repository:  # a repository's own stands in its entry
            argv = [*argv, "--ca-file", str(access.ca_file)]
        await self.runner.run(argv, timeout_s=_PULL_TIMEOUT_S, env=env, proxied=True)

    def _env(self) -> Mapping[str, str]:
        kinds = ("cache", "config", "data")
        return {f"HELM_{kind.upper()}_HOME": str(self.home / kind) for kind in kinds}
