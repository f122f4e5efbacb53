"""Checks of what upgrades the cluster, and of the versions that the repository states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from inventory.checks.facts import Facts
from inventory.model import Finding, ObjectRef, Severity
from inventory.rules import make_finding
from inventory.support import is_supported, supported_kubernetes
from inventory.versions import find_drift, minor_distance

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
    yield from _pair(facts)
    yield from _drift(facts)
    yield from _skew(facts)


def _pair(facts: Facts) -> Iterator[Finding]:
    talos = facts.inventory.talos
    if talos is None or is_supported(talos.talos_version, talos.kubernetes_version):
        return
    known = supported_kubernetes(talos.talos_version) or range(0)
    message = (
        f"Talos {talos.talos_version} does not support Kubernetes: `{talos.kubernetes_version}`"
        f" (1.{known.start} to 1.{known.stop - 1})"
    )
    place = facts.locate(talos.position, "kubernetesVersion")
    yield make_finding("unsupported-versions", message, place)


def _drift(facts: Facts) -> Iterator[Finding]:
    for subject, statements in find_drift(facts.inventory.versions).items():
        values = ", ".join(sorted({f"{item.value} in {item.source}" for item in statements}))
        message = f"different versions of {subject} are stated: `{values}`"
        finding = make_finding("version-drift", message, statements[0].position)
        # Flux' leftover bootstrap file is read by ClusterTool only.
        yield replace(finding, severity=Severity.INFO) if subject == "flux" else finding


def _skew(facts: Facts) -> Iterator[Finding]:
    talos = facts.inventory.talos
    for item in facts.inventory.versions if talos is not None else ():
        if item.subject == "kubectl image" and talos is not None:
            distance = minor_distance(item.value, talos.kubernetes_version)
            if distance > 1:
                message = f"{item.source} is {distance} minor versions away: `{item.value}`"
                yield make_finding("image-skew", message, item.position)


def _is_about(plan: ObjectRef, subject: str) -> bool:
    return subject in plan.name.lower()
