"""Gate: nothing in the repository would break the run."""

from __future__ import annotations

from dataclasses import dataclass

from inventory import Finding, Severity
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["RepositoryIsSound", "refuses"]

_SHOWN = 5

# What would stop Flux alone, and what this run brings itself before Flux begins.
_CURED_BY_THE_RUN = frozenset(
    {
        "crd-beside-release",  # steps/crds.py
        "crd-in-entry",  # steps/crds.py
        "crd-order-not-declared",  # steps/crds.py
        "cold-start-cycle",  # steps/crds.py, steps/namespaces.py
        "namespace-not-declared",  # steps/namespaces.py
        "generated-patches",  # world/machine_configs.py
    }
)
# What harms an upgrade, not a bootstrap: upgrade controllers are held until its end.
_LATER = frozenset({"two-upgraders", "unsupported-hop"})
_TOLERATED = _CURED_BY_THE_RUN | _LATER


def refuses(finding: Finding) -> bool:
    """Tell whether a bootstrap does not begin with a finding, unless the user accepts it."""
    return finding.severity is Severity.ERROR and finding.id not in _TOLERATED


@dataclass(frozen=True, slots=True)
class RepositoryIsSound:
    """No finding of severity error is left that the user has not accepted."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "repository-is-sound"
    title: str = "Check the repository"

    async def probe(self) -> Answer:
        """Look at the inventory's findings."""
        errors = [f for f in self.world.inventory.errors() if not self._is_accepted(f)]
        if errors:
            shown = [f"{f.position}: {f.message} ({f.id})" for f in errors[:_SHOWN]]
            more = f"\nand {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
            return Blocked("\n".join(shown) + more, self._hint(errors[0]))
        inventory = self.world.inventory
        accepted = sum(map(refuses, inventory.findings))
        text = f"{len(inventory.components)} components, {len(inventory.releases)} releases"
        return Satisfied(f"{text}, {accepted} accepted as broken" if accepted else text)

    def _is_accepted(self, finding: Finding) -> bool:
        if not refuses(finding) or finding.id in self.world.options.accepted:
            return True
        return bool(self._names(finding) & self.world.options.accepted)

    def _names(self, finding: Finding) -> set[str]:
        """Name the components whose files a finding is in: their release's, or their folder's."""
        inventory = self.world.inventory
        path = finding.position.path
        owners = {r.component for r in inventory.releases if r.position.path == path}
        owners |= {r.name for r in inventory.releases if r.position.path == path}
        owners |= {c.name for c in inventory.components if c.position.path == path}
        owners |= {
            c.name for c in inventory.components if c.is_local and path.startswith(f"{c.path}/")
        }
        return owners

    def _hint(self, finding: Finding) -> str:
        names = sorted(self._names(finding))
        repair = finding.hint or "correct it, commit and push"
        return f"{repair}; or go on without it: --accept {names[0]}" if names else repair
