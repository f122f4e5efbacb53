"""Objects by identity."""

from __future__ import annotations

from dataclasses import dataclass, field

from inventory.model._basics import JsonObject, Position


@dataclass(frozen=True, slots=True, order=True)
class SourceKey:
    """The identity of a Flux source."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object that a build produces, by identity; `raw` is the object itself."""

    api_version: str
    kind: str
    namespace: str  # empty for objects without a namespace
    name: str
    position: Position
    from_component: bool = False  # added by a Kustomize Component
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False, compare=False)

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def group_kind(self) -> str:
        """`group/Kind`, the key of a CRD in dependency edges."""
        return f"{self.group}/{self.kind}"

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes the object one: group, kind, namespace, name."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeadObject:
    """A Flux object on disk that nothing live refers to."""

    kind: str
    namespace: str
    name: str
    position: Position
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """One place that states a version.

    Attributes:
        subject: `talos`, `kubernetes`, `flux` or `kubectl image`.
        source: The file, or `Kind/name in component`.
        note: Why the value does not count when places are compared; empty when it does.
    """

    subject: str
    source: str
    value: str
    position: Position
    note: str = ""
