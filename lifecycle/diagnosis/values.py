"""What a diagnosis says, and how things are named in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["Diagnosis", "Key", "key_of"]

_LONGEST = 400  # enough for a cause; Helm repeats whole templates


class Key(NamedTuple):
    """Which object: kind, namespace (empty for those that have none), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def id(self) -> str:
        """`namespace/name`, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(item: KubernetesObject) -> Key:
    """Return what names an object here."""
    return Key(item.kind, item.namespace, item.name)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The first cause of something not ready.

    Attributes:
        cause: What is wrong, in one line.
        evidence: How that was found, from what was asked about down to the cause.
        command: What repairs it: a command, or the place to correct and then a command.
        component: Name of the component at fault; empty when it is none.
        signature: Id of the entry of the catalogue.
    """

    cause: str
    evidence: tuple[str, ...]
    command: str
    component: str = ""
    signature: str = ""

    def under(self, line: str) -> Diagnosis:
        """Return the same cause, seen from one level above."""
        return replace(self, evidence=(clean(line), *self.evidence))


def clean(text: str) -> str:
    """Put a message into one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
