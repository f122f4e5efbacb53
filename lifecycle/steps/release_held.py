"""Step: release the upgrade controllers that the run held."""

from __future__ import annotations

from dataclasses import dataclass

from inventory import Component
from lifecycle.drivers.kubernetes import ObjectRef
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.errors import NotFoundError
from lifecycle.world import World
from lifecycle.world.layers import find_upgraders

__all__ = ["ReleaseHeld"]


@dataclass(frozen=True, slots=True)
class ReleaseHeld:
    """An upgrade controller that wakes up in the middle of a bootstrap reboots nodes.

    Safe to repeat: takes back `suspend` on the Kustomizations that the run applied suspended.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "release-held"
    title: str = "Release what was held"

    async def probe(self) -> Answer:
        """Look which of them are still suspended."""
        held = await self._find_held()
        if held:
            return Needed(f"held: {', '.join(component.name for component in held)}")
        upgraders = find_upgraders(self.world.inventory)
        return Satisfied(f"{len(upgraders)} upgrade Kustomization(s) run")

    async def apply(self) -> None:
        """Let them run."""
        api = await self.world.access.api()
        for component in await self._find_held():
            await api.patch_merge(_ref_of(component), {"spec": {"suspend": None}})

    async def _find_held(self) -> list[Component]:
        api = await self.world.access.api()
        held: list[Component] = []
        for component in find_upgraders(self.world.inventory):
            if component.suspend:
                continue  # Git wants it so
            try:
                live = await api.get(_ref_of(component))
            except NotFoundError:
                continue
            if live.spec.get("suspend") is True:
                held.append(component)
        return held


def _ref_of(component: Component) -> ObjectRef:
    version = "kustomize.toolkit.fluxcd.io/v1"
    return ObjectRef(version, "Kustomization", component.name, component.namespace)
