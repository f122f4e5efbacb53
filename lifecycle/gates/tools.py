"""Gate: the tools that the run calls are there, in versions that work."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["ToolsAreThere"]


@dataclass(frozen=True, slots=True)
class ToolsAreThere:
    """Every tool was found; what is missing is named with the way to install it."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "tools-are-there"
    title: str = "Check tools and versions"

    async def probe(self) -> Answer:
        """Say what was found; the search itself was made when the run was prepared."""
        missing = self.world.tools.missing
        if missing:
            errors = "; ".join(error.message for error in missing.values())
            return Blocked(errors, "; ".join(dict.fromkeys(e.hint for e in missing.values())))
        found = self.world.tools.found.values()
        return Satisfied(", ".join(f"{tool.name} {tool.version}".strip() for tool in found))
