"""Checks of what upgrades the cluster, and of the versions that the repository states."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.checks.facts import Facts
from inventory.model import Finding, ObjectRef
from inventory.rules import make_finding

_TUPPR = "tuppr.home-operations.com"
_PLANS = "upgrade.cattle.io"


def check_upgrades(facts: Facts) -> Iterator[Finding]:
    """Yield upgraders that compete."""
    objects = [item for _, item in facts.inventory.objects()]
    plans = [item for item in objects if item.group == _PLANS and item.kind == "Plan"]
    tuppr = [item for item in objects if item.group == _TUPPR]
    for upgrade in tuppr:
        subject = "talos" if upgrade.kind == "TalosUpgrade" else "kubernetes"
        rival = next((plan for plan in plans if _is_about(plan, subject)), None)
        if rival is not None:
            message = f"two controllers upgrade {subject}: `{upgrade}` and `{rival}`"
            yield make_finding("two-upgraders", message, upgrade.position)


def _is_about(plan: ObjectRef, subject: str) -> bool:
    return subject in plan.name.lower()
