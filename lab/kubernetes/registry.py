"""Which kinds are served right now: the built-in ones, and CRDs while they are Established."""

from __future__ import annotations

from dataclasses import dataclass

from lab.kubernetes.errors import NotFoundError, UnknownGroupError
from lab.kubernetes.kinds import BUILTIN, Kind, PrinterColumn
from lab.kubernetes.values import Object, at, dig, maps, name_of, number, text, texts

__all__ = ["Registry", "Served", "is_established", "read_crd"]

# What a real API server calls storage version order: GA before beta before alpha.
_STABILITY = {"": 2, "beta": 1, "alpha": 0}


@dataclass(frozen=True, slots=True)
class Served:
    """A kind in the version that somebody asked for."""

    kind: Kind
    version: str

    @property
    def api_version(self) -> str:
        """`apps/v1`, in the asked version."""
        return self.kind.api_version(self.version)

    def show(self, obj: Object) -> Object:
        """Return `obj` in the asked apiVersion; itself when it has it, and never changed."""
        if obj.get("apiVersion") == self.api_version:
            return obj
        return {**obj, "apiVersion": self.api_version}


class Registry:
    """Finds kinds by what manifests say and by what paths say."""

    def __init__(self) -> None:
        self._by_resource: dict[str, Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        self._by_plural: dict[tuple[str, str], Kind] = {}
        self.changes = 0  # grows with each change: discovery documents are cached by it
        for kind in BUILTIN:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Serve a kind, instead of an older description of it."""
        self._by_resource[kind.resource] = kind
        self._by_kind[kind.group, kind.kind] = kind
        self._by_plural[kind.group, kind.plural] = kind
        self.changes += 1

    def remove(self, resource: str) -> None:
        """Serve a kind no more."""
        kind = self._by_resource.pop(resource, None)
        if kind is not None:
            self._by_kind.pop((kind.group, kind.kind), None)
            self._by_plural.pop((kind.group, kind.plural), None)
            self.changes += 1

    def find(self, api_version: str, kind: str) -> Served | None:
        """Find a kind by what a manifest says."""
        group, _, version = api_version.rpartition("/")
        found = self._by_kind.get((group, kind))
        return Served(found, version) if found and version in found.versions else None

    def of_path(self, group: str, version: str, plural: str) -> Served:
        """Find a kind by what a URL says.

        Raises:
            NotFoundError: it is not served.
        """
        found = self._by_plural.get((group, plural))
        if found is None or version not in found.versions:
            raise NotFoundError.of_kind() if self.serves(group, version) else UnknownGroupError()
        return Served(found, version)

    def serves(self, group: str, version: str) -> bool:
        """Tell whether a version of a group has any kind."""
        return any(kind.group == group and version in kind.versions for kind in self.kinds)

    def of_resource(self, resource: str) -> Kind | None:
        """Find a kind by `deployments.apps`."""
        return self._by_resource.get(resource)

    @property
    def kinds(self) -> list[Kind]:
        """Every kind served."""
        return list(self._by_resource.values())


def read_crd(crd: Object) -> Kind:
    """Read what a CustomResourceDefinition makes the API server serve."""
    served = [item for item in maps(crd, "spec", "versions") if item.get("served") is not False]
    served.sort(key=lambda item: _rank(text(item, "name")), reverse=True)
    first: Object = served[0] if served else {}
    subresources = set(at(first, "subresources"))
    return Kind(
        group=text(crd, "spec", "group"),
        versions=tuple(text(item, "name") for item in served),
        kind=text(crd, "spec", "names", "kind"),
        plural=text(crd, "spec", "names", "plural"),
        namespaced=text(crd, "spec", "scope") == "Namespaced",
        short=tuple(texts(crd, "spec", "names", "shortNames")),
        subresources=frozenset(subresources & {"status", "scale"}),
        categories=tuple(texts(crd, "spec", "names", "categories")),
        crd=name_of(crd),
        columns=tuple(_read_column(item) for item in maps(first, "additionalPrinterColumns")),
        schema=at(first, "schema", "openAPIV3Schema"),
    )


def _read_column(column: Object) -> PrinterColumn:
    return PrinterColumn(
        text(column, "name"),
        text(column, "type") or "string",
        text(column, "jsonPath"),
        number(column, "priority"),
    )


def _rank(version: str) -> tuple[int, int, int]:
    for mark in ("alpha", "beta"):
        major, found, minor = version.removeprefix("v").partition(mark)
        if found:
            return (_STABILITY[mark], _whole(major), _whole(minor))
    return (_STABILITY[""], _whole(version.removeprefix("v")), 0)


def _whole(digits: str) -> int:
    return int(digits) if digits.isdigit() else 0


def is_established(crd: Object) -> bool:
    """Tell whether the CRD's condition Established is True."""
    return any(
        text(item, "type") == "Established" and dig(item, "status") == "True"
        for item in maps(crd, "status", "conditions")
    )
