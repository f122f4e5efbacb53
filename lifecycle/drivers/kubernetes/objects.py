"""Kubernetes objects as values with typed accessors; the document itself stays at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.drivers.documents import (
    JsonObject,
    list_at,
    number_at,
    object_at,
    text_at,
)

__all__ = [
    "Change",
    "Condition",
    "KubernetesObject",
    "ObjectList",
    "ObjectRef",
    "Selection",
]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Which object: `namespace` is empty for those that have none."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind: all namespaces when `namespace` is empty."""

    api_version: str
    kind: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition: str

    @property
    def is_true(self) -> bool:
        """Whether the condition holds."""
        return self.status == "True"


@dataclass(frozen=True, slots=True, repr=False)
class KubernetesObject:
    """A Kubernetes object; `raw` is the document as it came and is never changed.

    Its `repr` is its name only: a Secret's data must not show up in a message.
    """

    raw: JsonObject

    def __repr__(self) -> str:
        return f"KubernetesObject({self.ref})"

    @property
    def ref(self) -> ObjectRef:
        """What names it."""
        return ObjectRef(self.api_version, self.kind, self.name, self.namespace)

    @property
    def api_version(self) -> str:
        """Group and version, such as `apps/v1`, or `v1`."""
        return text_at(self.raw, "apiVersion")

    @property
    def kind(self) -> str:
        """The kind, such as `Deployment`."""
        return text_at(self.raw, "kind")

    @property
    def name(self) -> str:
        """The name."""
        return text_at(self.raw, "metadata", "name")

    @property
    def namespace(self) -> str:
        """The namespace, or empty."""
        return text_at(self.raw, "metadata", "namespace")

    @property
    def uid(self) -> str:
        """The identity, which a deleted and recreated object does not keep."""
        return text_at(self.raw, "metadata", "uid")

    @property
    def resource_version(self) -> str:
        """The version for optimistic locking."""
        return text_at(self.raw, "metadata", "resourceVersion")

    @property
    def generation(self) -> int:
        """How often the spec changed."""
        return number_at(self.raw, "metadata", "generation")

    @property
    def observed_generation(self) -> int:
        """The generation that the controller's status speaks of; 0 when it says none."""
        return number_at(self.raw, "status", "observedGeneration")

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels."""
        return _texts(object_at(self.raw, "metadata", "labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations."""
        return _texts(object_at(self.raw, "metadata", "annotations"))

    @property
    def created_at(self) -> str:
        """The creation time, RFC 3339."""
        return text_at(self.raw, "metadata", "creationTimestamp")

    @property
    def is_terminating(self) -> bool:
        """Whether it is being deleted."""
        return bool(text_at(self.raw, "metadata", "deletionTimestamp"))

    @property
    def spec(self) -> JsonObject:
        """The spec, or an empty mapping."""
        return object_at(self.raw, "spec")

    @property
    def status(self) -> JsonObject:
        """The status, or an empty mapping."""
        return object_at(self.raw, "status")

    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions in their order."""
        return tuple(
            Condition(
                text_at(item, "type"),
                text_at(item, "status"),
                text_at(item, "reason"),
                text_at(item, "message"),
                number_at(item, "observedGeneration"),
                text_at(item, "lastTransitionTime"),
            )
            for item in list_at(self.raw, "status", "conditions")
        )

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of a type, None when it is not there, which means Unknown."""
        return next((entry for entry in self.conditions() if entry.type == kind), None)

    def has_condition(self, kind: str, status: str = "True") -> bool:
        """Tell whether the condition of a type is there with that status."""
        found = self.condition(kind)
        return found is not None and found.status == status


@dataclass(frozen=True, slots=True)
class ObjectList:
    """Objects of a kind at one moment; `resource_version` is where a watch goes on."""

    items: tuple[KubernetesObject, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch; `kind` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    kind: str
    object: KubernetesObject


def _texts(document: JsonObject) -> Mapping[str, str]:
    return {key: value for key, value in document.items() if isinstance(value, str)}
