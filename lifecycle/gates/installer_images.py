"""Gate: every machine's installer image exists."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import yaml

from inventory import Node
from lifecycle.drivers.documents import JsonObject, as_object, object_at, text_at, texts_at
from lifecycle.drivers.registry import Image, RegistryUnreachableError
from lifecycle.engine import Answer, Blocked, Patience, Satisfied, Unknown
from lifecycle.errors import TooManyRequestsError, UnavailableError
from lifecycle.world import World

__all__ = ["InstallerImagesExist"]


@dataclass(frozen=True, slots=True)
class InstallerImagesExist:
    """A machine that cannot pull its installer goes back to maintenance and tries for ever.

    Asked of the registries, or of the mirrors that the machine config names, before any machine
    is touched; an image factory builds what it is first asked for meanwhile. A registry that
    only the machines can reach is no reason to refuse.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "installer-images-exist"
    title: str = "Check that every installer image exists"
    patience: Patience = Patience(
        # The factory answers 5xx while it builds or is overloaded, sometimes for minutes.
        stall=timedelta(minutes=10),
        deadline=timedelta(minutes=15),
        poll=timedelta(seconds=10),
    )

    async def probe(self) -> Answer:
        """Look for the image of each machine that has not been given its config yet."""
        wanted, _ = await asyncio.gather(self._find_wanted(), self.world.registries.prepare())
        if not wanted:
            return Satisfied("every machine was given its config before")
        unasked: list[str] = []
        for reference, (node, mirrors) in wanted.items():
            try:
                exists = await self.world.registries.has(Image.parse(reference), mirrors)
            except (TooManyRequestsError, UnavailableError) as error:
                return Unknown(error.message)
            except RegistryUnreachableError as error:
                unasked.append(error.message)
                continue
            if not exists:
                return _refuse(reference, node)
        text = f"{len(wanted) - len(unasked)} of {len(wanted)} exist"
        return Satisfied("; ".join((text, *unasked)))

    async def _find_wanted(self) -> Mapping[str, tuple[Node, tuple[str, ...]]]:
        """Return each image once, with a node that wants it and the mirrors of its registry."""
        wanted: dict[str, tuple[Node, tuple[str, ...]]] = {}
        for node in self.world.talos.nodes:
            if self.world.was_given_config(node):
                continue
            path = await self.world.machine_configs.draft_of(node.hostname)
            machine = _read_machine(path.read_bytes())
            reference = text_at(machine, "install", "image")
            if reference:
                wanted.setdefault(reference, (node, _find_mirrors(machine, reference)))
        return wanted


def _read_machine(config: bytes) -> JsonObject:
    """Return the `machine` part of a machine config of several documents."""
    documents = [as_object(d) for d in yaml.load_all(config, Loader=yaml.CSafeLoader) if d]
    return next((object_at(d, "machine") for d in documents if d.get("machine")), {})


def _find_mirrors(machine: JsonObject, reference: str) -> tuple[str, ...]:
    mirrors = object_at(machine, "registries", "mirrors")
    found = mirrors.get(Image.parse(reference).host) or mirrors.get("*")
    return texts_at(as_object(found), "endpoints") if found else ()


def _refuse(reference: str, node: Node) -> Blocked:
    return Blocked(
        f"installer image of {node.hostname} does not exist: `{reference}`",
        f"correct talosVersion, schematic or talosImageURL of {node.position}",
    )
