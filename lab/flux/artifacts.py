"""Artifacts: what sources hand to those who build from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.kubernetes.values import Object

__all__ = ["Artifact", "Artifacts", "SourceKey"]

SourceKey = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Artifact:
    """One revision of a source: a folder (Git), a file (chart), or nothing (opaque)."""

    revision: str
    path: Path | None = None

    def describe(self, key: SourceKey, now: str) -> Object:
        """Build `status.artifact`."""
        kind, namespace, name = key
        digest = hashlib.sha256(self.revision.encode()).hexdigest()
        place = f"{kind.lower()}/{namespace}/{name}/{digest[:40]}.tar.gz"
        return {
            "digest": f"sha256:{digest}",
            "lastUpdateTime": now,
            "path": place,
            "revision": self.revision,
            "url": f"http://source-controller.flux-system.svc.cluster.local./{place}",
        }


class Artifacts:
    """The storage of source-controller: lost when it restarts, and fetched again."""

    def __init__(self) -> None:
        self._held: dict[SourceKey, Artifact] = {}
        self._listeners: list[Callable[[SourceKey], None]] = []

    def listen(self, listener: Callable[[SourceKey], None]) -> None:
        """Call `listener` whenever a source has another revision than before."""
        self._listeners.append(listener)

    def get(self, key: SourceKey) -> Artifact | None:
        """What the source holds now."""
        return self._held.get(key)

    def publish(self, key: SourceKey, artifact: Artifact) -> bool:
        """Hold an artifact; says whether its revision is new."""
        before = self._held.get(key)
        self._held[key] = artifact
        if before is not None and before.revision == artifact.revision:
            return False
        for listener in self._listeners:
            listener(key)
        return True

    def forget(self, key: SourceKey) -> None:
        """Drop what a removed source held."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Drop everything: source-controller stopped."""
        self._held.clear()
