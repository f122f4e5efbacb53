"""Checks of values that well-known charts cannot work with, on this cluster or at all.

Defaults are those of the charts' own values.yaml: cilium 1.18 to 1.20, longhorn 1.7 to 1.12,
cert-manager 1.12 to 1.21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from inventory.catalogue import PROVIDERS, Origin
from inventory.checks.facts import Facts
from inventory.checks.flux_version import has_flux_since, is_feature_stated
from inventory.crds import CRD_KIND
from inventory.model import Finding, Json, ObjectRef, Release, Severity, TalosConfig
from inventory.objects import get, get_flag, get_mapping, get_mappings, get_text
from inventory.rules import make_finding
from inventory.support import minor_of

_Keys = tuple[str, ...]
_SWITCHES: Final[tuple[_Keys, ...]] = (
    ("crds", "enabled"),
    ("crds", "create"),
    ("crds", "install"),
    ("installCRDs",),
)
_NEW_SWITCH_SINCE: Final = 15  # cert-manager 1.15 brought crds.enabled beside installCRDs
_REFUSED_UNTIL: Final = 18  # and refused both at once until here
# How many a chart puts on nodes of their own, and how many when the values do not say.
_SPREAD: Final[Mapping[str, tuple[_Keys, int, str]]] = {
    "cilium": (("operator", "replicas"), 2, "replicas of cilium-operator"),
    "longhorn": (("persistence", "defaultClassReplicaCount"), 3, "copies of each volume"),
}
_PODS: Final = ("cilium",)  # of these charts they are pods, which a release waits for
_WAITS_SINCE: Final = (2, 8)
_HELM_3_DEFAULTS: Final = "UseHelm3Defaults=true"
_HOSTNAME: Final = "kubernetes.io/hostname"
_BLOCKING_POLICIES: Final = ("", "block-if-contains-last-replica")


def check_values(facts: Facts) -> Iterator[Finding]:
    """Yield values that leave something out that the chart cannot do without."""
    for release in facts.inventory.releases:
        if release.chart == "cert-manager":
            yield from _both_switches(facts, release)
        yield from _switched_off(facts, release)
        if release.chart in _SPREAD:
            yield from _spread(facts, release)
        if release.chart == "longhorn":
            yield from _drain(facts, release)
        if release.chart == "cilium":
            yield from _before_network(facts, release)
    for kind in ("Deployment", "StatefulSet"):
        for owner, item in facts.of_kind(kind):
            yield from _workload(facts, owner, item)


def _both_switches(facts: Facts, release: Release) -> Iterator[Finding]:
    minor = minor_of(release.version)
    is_new = get_flag(release.values, *_SWITCHES[0])
    other = "crds.enabled" if is_new else "crds.keep: false"
    both = is_new or get(release.values, "crds", "keep") is False
    both = both and get_flag(release.values, "installCRDs")
    if both and minor is not None and _NEW_SWITCH_SINCE <= minor <= _REFUSED_UNTIL:
        message = f"cert-manager {release.version} refuses `installCRDs` beside `{other}`"
        place = facts.locate(release.position, "spec", "values", "installCRDs")
        yield make_finding("crds-switched-twice", message, place)


def _switched_off(facts: Facts, release: Release) -> Iterator[Finding]:
    keys = _off(release)
    if not keys or release.values_from:
        return
    groups = {p.group for p in PROVIDERS if release.chart in p.names}
    if groups and not _is_brought(facts, release, groups):
        message = f"`{release.name}` installs no CRDs, and nothing else live brings them"
        place = facts.locate(release.position, *keys)
        yield make_finding("crds-not-installed", message, place)


def _off(release: Release) -> _Keys:
    """Return where a release switches its CRDs off; empty when it does not."""
    values = release.values
    minor = minor_of(release.version)
    if release.chart == "cert-manager" and minor is not None:  # other numbers: another chart
        old, new = get(values, "installCRDs"), get(values, *_SWITCHES[0])
        is_on = old not in (None, False) or (
            minor >= _NEW_SWITCH_SINCE and new not in (None, False)
        )
        key = "installCRDs" if new is None or minor < _NEW_SWITCH_SINCE else "crds"
        return () if is_on else ("spec", "values", key)
    for keys in _SWITCHES:
        if get(values, *keys) is False:
            return ("spec", "values", *keys)
    is_in_folder = any(
        p.origin is Origin.CRDS_FOLDER and release.chart in p.names for p in PROVIDERS
    )
    return ("spec", "install", "crds") if is_in_folder and release.install_crds == "Skip" else ()


def _is_brought(facts: Facts, release: Release, groups: set[str]) -> bool:
    """Say whether a live CRD or another release brings one of the groups."""
    names = {name for p in PROVIDERS if p.group in groups for name in p.names}
    if any(get_text(i.raw, "spec", "group") in groups for _, i in facts.of_kind(CRD_KIND)):
        return True
    return any(
        other is not release and (other.chart in names or f"{release.chart}-crds" in other.chart)
        for other in facts.inventory.releases
    )


def _spread(facts: Facts, release: Release) -> Iterator[Finding]:
    talos = facts.inventory.talos
    keys, default, what = _SPREAD[release.chart]
    count = _number(facts, get_text(release.values, *keys, default=str(default)))
    nodes = _hosts(talos, release.chart) if talos is not None else 0
    if nodes and count > nodes and not release.values_from:
        said = "" if get(release.values, *keys) is not None else ", as the chart sets by itself"
        is_fatal = release.chart in _PODS and _waits_for_every_pod(facts, release)
        result = "; Flux since 2.8 waits for every one, so the release fails" if is_fatal else ""
        message = (
            f"`{release.name}` wants {count} {what}, each on a node of its own{said},"
            f" but the nodes are `{nodes}`{result}"
        )
        place = facts.locate(release.position, "spec", "values", *keys)
        finding = make_finding("more-replicas-than-nodes", message, place)
        yield replace(finding, severity=Severity.ERROR) if is_fatal else finding


def _waits_for_every_pod(facts: Facts, release: Release) -> bool:
    """Say whether Flux waits for all pods of a release.

    helm-controller 1.5, which Flux 2.8 brought, waits as kstatus does; before, and with the
    `legacy` strategy, pods that an update may leave out were not waited for.
    """
    strategy = get_text(release.raw, "spec", "waitStrategy", "name")
    is_kept = strategy == "legacy" or get_flag(release.raw, "spec", "install", "disableWait")
    is_new = has_flux_since(facts, _WAITS_SINCE, is_unknown=False)
    is_default = is_new and not is_feature_stated(facts, _HELM_3_DEFAULTS)
    return not is_kept and (is_default or strategy == "poller")


def _workload(facts: Facts, owner: str, item: ObjectRef) -> Iterator[Finding]:
    """Yield a workload whose pods cannot share a node and outnumber the nodes."""
    talos = facts.inventory.talos
    count = _number(facts, get_text(item.raw, "spec", "replicas", default="1"))
    if talos is None or count <= len(talos.nodes) or not talos.nodes:
        return
    pod = get_mapping(item.raw, "spec", "template", "spec")
    ports = [p for c in get_mappings(pod, "containers") for p in get_mappings(c, "ports")]
    terms = get_mappings(
        pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    is_alone = any(get_text(term, "topologyKey") == _HOSTNAME for term in terms)
    if is_alone or any("hostPort" in port for port in ports):
        waiting = next((c for c in facts.inventory.components if c.name == owner and c.wait), None)
        result = f"; `{owner}` waits for every one, so it is never ready" if waiting else ""
        message = (
            f"{item} wants {count} pods, each on a node of its own,"
            f" but the nodes are `{len(talos.nodes)}`{result}"
        )
        place = facts.locate(item.position, "spec", "replicas")
        finding = make_finding("more-replicas-than-nodes", message, place)
        yield replace(finding, severity=Severity.ERROR) if waiting else finding


def _hosts(talos: TalosConfig, chart: str) -> int:
    is_everywhere = chart == "cilium" or talos.allow_scheduling_on_control_planes
    return len(talos.nodes if is_everywhere else talos.workers)


def _number(facts: Facts, text: str) -> int:
    """Return a number that may come from a variable; 0 when it is not known."""
    text = facts.fill(text)
    return int(text) if text.isdecimal() else 0


def _drain(facts: Facts, release: Release) -> Iterator[Finding]:
    talos = facts.inventory.talos
    values = release.values
    copies = _number(facts, get_text(values, "persistence", "defaultClassReplicaCount"))
    policy = get_text(values, "defaultSettings", "nodeDrainPolicy")
    is_blocked = copies == 1 and policy in _BLOCKING_POLICIES and not release.values_from
    if is_blocked and talos is not None and _hosts(talos, release.chart) > 1:
        message = f"`{release.name}` keeps every node with a volume's only copy from being drained"
        place = facts.locate(
            release.position, "spec", "values", "defaultSettings", "nodeDrainPolicy"
        )
        yield make_finding("drain-blocked", message, place)


def _before_network(facts: Facts, release: Release) -> Iterator[Finding]:
    """Yield what the CNI asks for although only a working network can bring it."""
    monitors = next(_monitors(release.values, ()), None)
    if monitors is not None:
        message = f"`{release.name}` renders a ServiceMonitor, whose CRD needs a network first"
        place = facts.locate(release.position, "spec", "values", *monitors)
        yield make_finding("cni-needs-others", message, place)
    hubble = get_mapping(release.values, "hubble")
    method = get_text(hubble, "tls", "auto", "method")
    if method == "certmanager" and get(hubble, "enabled") is not False:
        message = (
            f"`{release.name}` has its certificates made by cert-manager, which needs a network"
        )
        place = facts.locate(release.position, "spec", "values", "hubble", "tls", "auto", "method")
        yield make_finding("cni-needs-others", message, place)


def _monitors(value: Json, keys: _Keys) -> Iterator[_Keys]:
    """Yield where a ServiceMonitor is switched on whose metrics are switched on, too."""
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "serviceMonitor" and get_flag(item, "enabled") and _has_metrics(value, keys):
            yield (*keys, key, "enabled")
        elif isinstance(item, dict) and item.get("enabled") is not False:
            yield from _monitors(item, (*keys, key))


def _has_metrics(value: Mapping[str, Json], keys: _Keys) -> bool:
    enabled = value.get("enabled")
    if isinstance(enabled, list):  # hubble.metrics.enabled
        return bool(enabled)
    # Of Cilium's parts, only these serve metrics unless told not to.
    is_default = keys[-2:] == ("operator", "prometheus") or keys[-2:] == ("envoy", "prometheus")
    return enabled is True or (enabled is None and is_default)
