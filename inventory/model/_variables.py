"""Variables and where Flux takes them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inventory.model._basics import Position


@dataclass(frozen=True, slots=True)
class SubstituteSource:
    """One item of `postBuild.substituteFrom`."""

    kind: str  # ConfigMap or Secret
    namespace: str
    name: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A ConfigMap or Secret that Flux substitutes from.

    Attributes:
        names: Every key, also of encrypted values (SOPS leaves keys readable).
        values: Values that are readable here; Secret data is decoded.
        encrypted: Whether some value is ciphertext.
    """

    kind: str
    namespace: str
    name: str
    names: frozenset[str]
    values: Mapping[str, str] = field(hash=False, repr=False)
    encrypted: bool
    position: Position


@dataclass(frozen=True, slots=True)
class Variables:
    """The cluster's variables.

    Attributes:
        names: Names in clusterenv.yaml, in file order.
        values: Values of clusterenv.yaml that are readable here; never log them.
        derived: `X_IP`, `X_CIDR`, `X_NETMASK` of each address and `CLUSTERNAME`.
        sets: Substitution sources by (kind, namespace, name).
        path: POSIX path of clusterenv.yaml; empty when there is none.
        encrypted: Whether clusterenv.yaml holds ciphertext that no overlay replaced.
    """

    names: tuple[str, ...]
    values: Mapping[str, str] = field(hash=False, repr=False)
    derived: Mapping[str, str] = field(hash=False, repr=False)
    sets: Mapping[tuple[str, str, str], VariableSet] = field(hash=False)
    path: str = ""
    encrypted: bool = False

    def get(self, name: str) -> str:
        """Return a value of clusterenv.yaml or a derived one; empty when it is not known."""
        return self.values.get(name) or self.derived.get(name, "")

    def substitution(self, sources: Sequence[SubstituteSource]) -> Mapping[str, str]:
        """Merge the readable values of `sources`; later ones win, as in Flux."""
        merged: dict[str, str] = {}
        for source in sources:
            found = self.sets.get((source.kind, source.namespace, source.name))
            if found is not None:
                merged.update(found.values)
        return merged

    def names_of(self, sources: Sequence[SubstituteSource]) -> frozenset[str]:
        """Return every name that `sources` define, also those of encrypted values."""
        names: set[str] = set()
        for source in sources:
            found = self.sets.get((source.kind, source.namespace, source.name))
            if found is not None:
                names |= found.names
        return frozenset(names)
