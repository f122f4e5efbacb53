"""Whether registries have the images that a repository names; nothing is pulled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from inventory import Finding, Inventory, Position
from inventory.images import ImageUse, find_images
from inventory.rules import make_finding
from inventory.tree import Tree
from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.registry import Image, Registries
from lifecycle.errors import DriverError

__all__ = ["Answers", "ask_registries"]

_EACH_S: Final = 20.0
_TOTAL_S: Final = 180.0
_AT_ONCE: Final = 8
_PATIENCE: Final = 3  # a registry that did not answer as often is not asked again


@dataclass(frozen=True, slots=True)
class Answers:
    """What registries said; `notes` tell of those that could not be asked."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


async def ask_registries(inventories: Iterable[Inventory], overlay: Mapping[str, str]) -> Answers:
    """Ask for each image once; an image that cannot be asked for is no finding."""
    found: dict[str, tuple[ImageUse, Inventory]] = {}
    for inventory in inventories:
        for use in find_images(inventory):
            found.setdefault(use.reference, (use, inventory))
    async with Registries(AddressBook()) as registries:
        asker = _Asker(registries, asyncio.Semaphore(_AT_ONCE))
        tasks = {asyncio.create_task(asker.has(name)): name for name in found}
        done, late = await asyncio.wait(tasks, timeout=_TOTAL_S) if tasks else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    findings = [_missing(*found[tasks[task]], overlay) for task in done if task.result() is False]
    notes = [
        f"{asker.unasked[host]} images of {host} were not asked for: {reason}"
        for host, reason in sorted(asker.reasons.items())
    ]
    if late:
        notes.append(f"{len(late)} images were not asked for: more than {_TOTAL_S:g} s in all")
    return Answers(tuple(findings), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Asker:
    registries: Registries
    limit: asyncio.Semaphore
    reasons: dict[str, str] = field(default_factory=dict)  # by host
    unasked: Counter[str] = field(default_factory=Counter)

    async def has(self, reference: str) -> bool | None:
        """Tell whether there is an image; None when that cannot be told."""
        image = Image.parse(reference)
        async with self.limit:
            if self.unasked[image.host] < _PATIENCE:
                try:
                    async with asyncio.timeout(_EACH_S):
                        return await self.registries.has(image)
                except TimeoutError:
                    self.reasons.setdefault(image.host, f"no answer in {_EACH_S:g} s")
                except DriverError as error:
                    self.reasons.setdefault(image.host, error.message)
        self.unasked[image.host] += 1
        return None


def _missing(use: ImageUse, inventory: Inventory, overlay: Mapping[str, str]) -> Finding:
    message = f"registry has no such image, which {use.owner} runs: `{use.reference}`"
    return make_finding("image-missing", message, _locate(use, inventory, overlay))


def _locate(use: ImageUse, inventory: Inventory, overlay: Mapping[str, str]) -> Position:
    place = use.document
    document = Tree(inventory.root, overlay).document_at(place.path, place.line)
    return document.locate(*use.keys) if document is not None else place
