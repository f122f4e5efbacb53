"""What the entries apply, built by the real Kustomize from the decrypted private copy."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from inventory import Entry, Layer
from inventory.substitution import SubstitutionError, substitute_object
from lifecycle.drivers.documents import JsonObject, as_object, text_at
from lifecycle.drivers.flux import Flux
from lifecycle.drivers.kustomize import Kustomize
from lifecycle.errors import CommandFailedError, InventoryError
from lifecycle.world.repository import Repository

__all__ = ["Builds"]

_SOURCE_GROUP = "source.toolkit.fluxcd.io/"
_KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io/"
_OWN_GROUP = "kustomize.config.k8s.io/"
# Fields of a Flux Kustomization's spec that are a kustomization's own, by its name for them.
_OVERLAY_FIELDS = {
    "patches": "patches",
    "images": "images",
    "components": "components",
    "targetNamespace": "namespace",
    "namePrefix": "namePrefix",
    "nameSuffix": "nameSuffix",
}

Key = tuple[str, str, str, str]  # group, kind, namespace, name


@dataclass(slots=True)
class Builds:
    """Builds each entry once a run; the objects are in clear and stay in memory."""

    repository: Repository
    kustomize: Kustomize
    flux: Flux
    _entries: tuple[JsonObject, ...] | None = None
    _expected: tuple[JsonObject, ...] | None = None
    _flux_manifests: tuple[JsonObject, ...] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def objects(self) -> tuple[JsonObject, ...]:
        """Return every object that the entries apply themselves, patched and substituted.

        Raises:
            InventoryError: an entry does not build; the message is Kustomize's own.
        """
        async with self._lock:
            if self._entries is None:
                entries = self.repository.inventory.entries
                built = await asyncio.gather(*(self._build(entry) for entry in entries))
                self._entries = tuple(document for part in built for document in part)
        return self._entries

    def expected(self) -> tuple[JsonObject, ...]:
        """Return the same objects at no cost, for probes: as the inventory reads them.

        Only what Kustomize itself built is ever applied, and once it has built in this run,
        probes look for just that: where the inventory reads a tree differently, a step is
        repeated in vain at most, and never fails.
        """
        if self._entries is not None:
            return self._entries
        if self._expected is None:
            self._expected = tuple(
                document
                for entry in self.repository.inventory.entries
                for document in self._substitute(entry, tuple(o.raw for o in entry.objects))
            )
        return self._expected

    def find(
        self, documents: Iterable[JsonObject], kind: str, names: Collection[tuple[str, str]]
    ) -> list[tuple[str, str, JsonObject]]:
        """Choose the objects of a kind by (namespace, name)."""
        found: list[tuple[str, str, JsonObject]] = []
        for document in documents:
            _, own_kind, namespace, name = _key_of(document)
            if own_kind == kind and (namespace, name) in names:
                found.append((namespace, name, document))
        return found

    def sources(self, documents: Iterable[JsonObject]) -> list[JsonObject]:
        """Choose the sources."""
        return [
            document
            for document in documents
            if text_at(document, "apiVersion").startswith(_SOURCE_GROUP)
        ]

    def layer(self, documents: Iterable[JsonObject], layer: Layer) -> list[JsonObject]:
        """Choose what belongs to a layer, entries left out."""
        inventory = self.repository.inventory
        entries = {(entry.namespace, entry.name) for entry in inventory.entries}
        plain = {item.identity for item in layer.objects}
        components = {
            (component.namespace, component.name)
            for component in inventory.components
            if component.name in layer.components
        }
        return [
            document
            for document in documents
            if _is_of_layer(_key_of(document), components - entries, plain)
        ]

    async def flux_manifests(self) -> tuple[JsonObject, ...]:
        """Return the manifests of the Flux controllers, in the flux command's own version."""
        async with self._lock:
            if self._flux_manifests is None:
                text = await self.flux.install_manifests()
                self._flux_manifests = _parse(text)
        return self._flux_manifests

    async def _build(self, entry: Entry) -> tuple[JsonObject, ...]:
        copy = await self.repository.private_copy()
        spec = as_object(entry.raw.get("spec"))
        overlay = {own: spec[name] for name, own in _OVERLAY_FIELDS.items() if spec.get(name)}
        try:
            text = await self.kustomize.build(copy / entry.path, overlay=overlay or None)
        except CommandFailedError as error:
            reason = error.stderr_tail.replace(f"{copy}/", "").strip()
            raise InventoryError(
                f"entry does not build: `{entry.name}`: {reason}",
                path=entry.file,
                line=entry.position.line,
                column=entry.position.column,
                hint=f"try it: kubectl kustomize {entry.path}",
            ) from error
        return self._substitute(entry, _parse(text))

    def _substitute(
        self, entry: Entry, documents: tuple[JsonObject, ...]
    ) -> tuple[JsonObject, ...]:
        values: Mapping[str, str] = {
            **self.repository.inventory.variables.substitution(entry.substitute_from),
            **entry.substitute,
        }
        try:
            return tuple(substitute_object(document, values) for document in documents)
        except SubstitutionError as error:
            raise InventoryError(
                f"substitution fails in `{entry.name}`: {error}",
                path=entry.file,
                hint="a literal `${` is written `$${`",
            ) from error


def _parse(text: bytes) -> tuple[JsonObject, ...]:
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    objects = (as_object(document) for document in documents if document)
    # A kustomization that lists its own file comes out of the build; Flux passes over it, too.
    return tuple(o for o in objects if not text_at(o, "apiVersion").startswith(_OWN_GROUP))


def _key_of(document: JsonObject) -> Key:
    return (
        text_at(document, "apiVersion").rpartition("/")[0],
        text_at(document, "kind"),
        text_at(document, "metadata", "namespace"),
        text_at(document, "metadata", "name"),
    )


def _is_of_layer(key: Key, components: set[tuple[str, str]], plain: set[Key]) -> bool:
    group, kind, namespace, name = key
    is_kustomization = kind == "Kustomization" and f"{group}/" == _KUSTOMIZE_GROUP
    return (namespace, name) in components if is_kustomization else key in plain
