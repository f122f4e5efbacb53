"""Helm's release records: Secrets `sh.helm.release.v1.<name>.v<N>`, readable by real helm."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.flux.objects import Context
from lab.flux.rendering import Chart
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.values import Json, Object, at, number, text

__all__ = ["Release", "ReleaseStorage", "digest_values"]

_TYPE = "helm.sh/release.v1"
_PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


@dataclass(frozen=True, slots=True)
class Release:
    """One revision of a release."""

    name: str
    namespace: str
    version: int
    status: str
    chart_name: str
    chart_version: str
    app_version: str
    config: Mapping[str, Json]
    manifest: str
    first_deployed: str
    last_deployed: str

    @property
    def is_pending(self) -> bool:
        """Whether somebody works, or worked until killed, on this revision."""
        return self.status in _PENDING

    @property
    def digest(self) -> str:
        """What tells whether the record is still the one that was observed."""
        body = json.dumps(_encode_release(self), sort_keys=True)
        return f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"

    def describe(self, action: str) -> Object:
        """Write an entry of `status.history`."""
        return {
            "action": action,
            "appVersion": self.app_version,
            "chartName": self.chart_name,
            "chartVersion": self.chart_version,
            "configDigest": digest_values(self.config),
            "digest": self.digest,
            "firstDeployed": self.first_deployed,
            "lastDeployed": self.last_deployed,
            "name": self.name,
            "namespace": self.namespace,
            "status": self.status,
            "version": self.version,
        }


def digest_values(values: Mapping[str, Json]) -> str:
    """Digest values without regard to the order of keys; no values have the digest of nothing."""
    body = json.dumps(values, sort_keys=True).encode() if values else b""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class ReleaseStorage:
    """Reads and writes the records of one release."""

    def __init__(self, context: Context, name: str, namespace: str) -> None:
        self._context = context
        self._name = name
        self._namespace = namespace

    async def list(self) -> list[Release]:
        """All revisions, newest first."""
        found = await self._context.client.peek(
            "v1", "Secret", self._namespace, labels=f"owner=helm,name={self._name}"
        )
        releases = [_decode(secret) for secret in found if text(secret, "type") == _TYPE]
        return sorted(releases, key=lambda release: -release.version)

    async def begin(self, chart: Chart, config: Mapping[str, Json], action: str) -> Release:
        """Write the next revision as pending."""
        last = next(iter(await self.list()), None)
        now = self._context.now()
        release = Release(
            name=self._name,
            namespace=self._namespace,
            version=(last.version if last else 0) + 1,
            status=f"pending-{action}",
            chart_name=chart.name,
            chart_version=chart.version,
            app_version=chart.app_version,
            config=config,
            manifest="",
            first_deployed=last.first_deployed if last else now,
            last_deployed=now,
        )
        await self.put(release)
        return release

    async def close(self, release: Release, status: str, manifest: str) -> Release:
        """Write how a revision ended; a deployed one supersedes those before it."""
        if status == "deployed":
            for older in await self.list():
                if older.version < release.version and older.status == "deployed":
                    await self.put(replace(older, status="superseded"))
        closed = replace(release, status=status, manifest=manifest)
        await self.put(closed)
        return closed

    async def repeat(self, release: Release) -> Release:
        """Write an older revision as the newest, as a rollback leaves it."""
        last = next(iter(await self.list()), release)
        again = replace(
            release,
            version=last.version + 1,
            status="pending-rollback",
            last_deployed=self._context.now(),
        )
        return await self.close(again, "deployed", release.manifest)

    async def put(self, release: Release) -> None:
        """Write one revision."""
        body = gzip.compress(json.dumps(_encode_release(release)).encode(), mtime=0)
        twice = base64.b64encode(base64.b64encode(body)).decode()
        secret: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": _TYPE,
            "metadata": {
                "name": f"sh.helm.release.v1.{release.name}.v{release.version}",
                "namespace": release.namespace,
                "labels": {
                    "name": release.name,
                    "owner": "helm",
                    "status": release.status,
                    "version": str(release.version),
                },
            },
            "data": {"release": twice},
        }
        await self._context.client.apply(secret, manager=self._context.manager, force=True)

    async def remove(self) -> None:
        """Remove every revision."""
        for release in await self.list():
            name = f"sh.helm.release.v1.{release.name}.v{release.version}"
            try:
                await self._context.client.delete("v1", "Secret", name, release.namespace)
            except NotFoundError:
                continue


def _encode_release(release: Release) -> Object:
    return {
        "name": release.name,
        "namespace": release.namespace,
        "version": release.version,
        "info": {
            "status": release.status,
            "first_deployed": release.first_deployed,
            "last_deployed": release.last_deployed,
            "deleted": "",
            "description": release.status,
        },
        "chart": {
            "metadata": {
                "apiVersion": "v2",
                "name": release.chart_name,
                "version": release.chart_version,
                "appVersion": release.app_version,
            }
        },
        "config": dict(release.config),
        "manifest": release.manifest,
    }


def _decode(secret: Object) -> Release:
    body = base64.b64decode(base64.b64decode(text(secret, "data", "release")))
    document: Json = json.loads(gzip.decompress(body))
    chart = at(document, "chart", "metadata")
    return Release(
        name=text(document, "name"),
        namespace=text(document, "namespace"),
        version=number(document, "version"),
        status=text(document, "info", "status"),
        chart_name=text(chart, "name"),
        chart_version=text(chart, "version"),
        app_version=text(chart, "appVersion"),
        config=at(document, "config"),
        manifest=text(document, "manifest"),
        first_deployed=text(document, "info", "first_deployed"),
        last_deployed=text(document, "info", "last_deployed"),
    )
