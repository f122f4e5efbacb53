"""Checks of what upgrades the cluster, and of the versions that the repository states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from inventory.checks.facts import Facts
from inventory.model import Finding, ObjectRef, Severity
from inventory.objects import get_flag, get_list, get_mapping, get_mappings, get_text
from inventory.pins import find_pins
from inventory.rules import make_finding
from inventory.support import is_supported, minor_of, supported_kubernetes
from inventory.versions import find_drift, minor_distance

_TUPPR = "tuppr.home-operations.com"
_PLANS = "upgrade.cattle.io"
# Charts that lose or degrade data when the next node goes before the last one has caught up.
_STORAGE = frozenset({"longhorn", "rook-ceph", "rook-ceph-cluster", "openebs", "cloudnative-pg"})
# Charts whose disruption budgets refuse an eviction until something else has moved.
_REFUSING = frozenset({"longhorn", "cloudnative-pg"})
_FEATURE_PREFIX = "feature.node.kubernetes.io/"
_LABELLERS = frozenset(
    {"node-feature-discovery", "nfd", "gpu-operator"}
)  # the last holds the first


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
    yield from _storage_gate(facts, tuppr)
    yield from _drains(facts, tuppr)
    yield from _labels(facts, plans)
    yield from _pair(facts)
    yield from _drift(facts)
    yield from _skew(facts)
    yield from _hops(facts)
    yield from _pins(facts)


def _drains(facts: Facts, upgrades: list[ObjectRef]) -> Iterator[Finding]:
    """Yield upgrades that drain without a second try, where storage refuses the first one.

    With `waitForVolumeDetach` tuppr drains itself and keeps talosctl, which tries again, from it.
    """
    talos = facts.inventory.talos
    refusing = sorted({r.chart for r in facts.inventory.releases if r.chart in _REFUSING})
    if talos is not None and len(talos.nodes) < 2:  # noqa: PLR2004 - nothing is drained then
        return
    for item in upgrades if refusing else ():
        if get_flag(item.raw, "spec", "policy", "waitForVolumeDetach"):
            names = ", ".join(refusing)
            message = f"{item} drains a node without trying again, which may refuse: `{names}`"
            place = facts.locate(item.position, "spec", "policy", "waitForVolumeDetach")
            yield make_finding("drain-without-retry", message, place)


def _storage_gate(facts: Facts, upgrades: list[ObjectRef]) -> Iterator[Finding]:
    """Yield upgrades of several nodes that do not ask storage between one node and the next."""
    talos = facts.inventory.talos
    if talos is not None and len(talos.nodes) < 2:  # noqa: PLR2004 - no node comes after one
        return
    storage = sorted({r.chart for r in facts.inventory.releases if r.chart in _STORAGE})
    for item in upgrades if storage else ():
        if item.kind == "TalosUpgrade" and not get_list(item.raw, "spec", "healthChecks"):
            message = (
                f"{item} goes from node to node without asking storage: `{', '.join(storage)}`"
            )
            place = facts.locate(item.position, "spec")
            yield make_finding("upgrade-without-health-checks", message, place)


def _labels(facts: Facts, plans: list[ObjectRef]) -> Iterator[Finding]:
    """Yield plans that select nodes by labels that nothing live sets."""
    releases = facts.inventory.releases
    if any(name in _LABELLERS for r in releases for name in (r.chart, r.name)):
        return
    for plan in plans:
        for keys, label in _required(plan):
            if label.startswith(_FEATURE_PREFIX):
                message = f"{plan} fits no node, since nothing live sets the label: `{label}`"
                place = facts.locate(plan.position, "spec", "nodeSelector", *keys)
                yield make_finding("plan-fits-no-node", message, place)
                break


def _required(plan: ObjectRef) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each label that a node must have, and where the selector says so."""
    selector = get_mapping(plan.raw, "spec", "nodeSelector")
    for label in get_mapping(selector, "matchLabels"):
        yield ("matchLabels", label), label
    for index, item in enumerate(get_mappings(selector, "matchExpressions")):
        if get_text(item, "operator") not in ("NotIn", "DoesNotExist"):
            yield ("matchExpressions", index), get_text(item, "key")


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


def _hops(facts: Facts) -> Iterator[Finding]:
    """Yield statements that an upgrade would follow in one step that is not supported."""
    talos = facts.inventory.talos
    if talos is None:
        return
    own = {"talos": talos.talos_version, "kubernetes": talos.kubernetes_version}
    for item in facts.inventory.versions:
        start, end = minor_of(own.get(item.subject, "")), minor_of(item.value)
        if item.note or start is None or end is None or start == end:
            continue
        way = f"from {own[item.subject]} to {item.value}"
        pair = {**own, item.subject: item.value}
        if end - start > 1:
            message = f"upgrade of {item.subject} skips minor versions: `{way}`"
        elif end < start:
            message = f"upgrade of {item.subject} leads back: `{way}`"
        elif not is_supported(pair["talos"], pair["kubernetes"]):
            message = f"Talos {pair['talos']} does not support Kubernetes {pair['kubernetes']}"
            message = f"upgrade of {item.subject} leads to a pair that is not supported: {message}"
        else:
            continue
        yield make_finding("unsupported-hop", message, item.position)


def _pins(facts: Facts) -> Iterator[Finding]:
    """Yield tool pins that do not fit what talconfig and Flux' source say."""
    inventory = facts.inventory
    talos = inventory.talos
    flux = [s.value for s in inventory.versions if s.subject == "flux" and not s.note]
    wanted = {
        "talosctl": (talos.talos_version if talos else "", 0, "Talos"),
        "kubectl": (talos.kubernetes_version if talos else "", 1, "Kubernetes"),
        "flux": (flux[-1] if flux else "", 0, "Flux"),
    }
    for pin in find_pins(facts.tree, inventory.cluster):
        version, allowed, name = wanted[pin.tool]
        if minor_distance(pin.version, version) > allowed:
            message = f"pin of {pin.tool} does not fit {name} {version}: `{pin.version}`"
            yield make_finding("tool-skew", message, pin.position)


def _is_about(plan: ObjectRef, subject: str) -> bool:
    return subject in plan.name.lower()
