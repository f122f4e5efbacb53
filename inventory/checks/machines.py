"""Checks of what the cluster's objects need of the machine config."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from inventory.checks.facts import Facts
from inventory.machine_patches import MachinePatch, read_machine_patches
from inventory.model import Finding, Json, Position, Severity, TalosConfig
from inventory.objects import as_text, get, get_mappings, get_strings, get_text, is_scalar
from inventory.rules import make_finding
from inventory.support import minor_of

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KUBEPRISM_PORT: Final = "7445"
_KUBEPRISM_SINCE: Final = 6  # Talos 1.6 switches it on in new machine configs
_API_PORT: Final = "6443"
_ACCESS: Final = ("machine", "features", "kubernetesTalosAPIAccess")
# What ClusterTool's own controlplane.yaml allows, which most repositories do not hold.
_GENERATED_NAMESPACE: Final = "system-upgrade"
_ROTATION: Final = ("machine", "kubelet", "extraArgs", "rotate-server-certificates")
_APPROVERS: Final = ("csr-approver", "cert-approver", "talos-cloud-controller-manager")
_CLOUD: Final = ("machine", "kubelet", "extraArgs", "cloud-provider")
_EXTERNAL: Final = ("cluster", "externalCloudProvider")
_CLOUD_MANAGERS: Final = ("cloud-controller-manager", "cloud-provider", "-ccm")
_UNINITIALIZED: Final = "node.cloudprovider.kubernetes.io"
_SYSCTLS: Final = ("machine", "sysctls", "user.max_user_namespaces")
_USER_NAMESPACES_SINCE: Final = 33  # TrueCharts' common library asks for them from Kubernetes 1.33
_TRUECHARTS: Final = "truecharts"
_WITHOUT_PODS: Final = frozenset({"metallb-config", "clusterissuer"})
# What makes the library leave the host's users to a pod; any mention is trusted.
_NEEDS_HOST: Final = re.compile(r"'(?:hostNetwork|hostPID|hostIPC|hostUsers)': True|'hostPath'")
_MAX_NAMES: Final = 3
_WORKLOADS: Final = ("Deployment", "DaemonSet")
_NO_HOST_USERS: Final = re.compile(r"^[ -]*(hostUsers):[ \t]*false\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Machines:
    talos: TalosConfig
    patches: tuple[MachinePatch, ...]

    @property
    def is_complete(self) -> bool:
        """Whether Git holds every patch, so that absence can be told."""
        return not self.talos.missing_patch_files

    def last(self, *keys: str) -> tuple[Json, Position]:
        """Return what the last patch says that says something, and where."""
        found = [item for patch in self.patches if (item := patch.find(*keys))[0] is not None]
        return found[-1] if found else (None, self.talos.position)


def check_machines(facts: Facts) -> Iterator[Finding]:
    """Yield what the machine config does not give to what runs on it."""
    talos = facts.inventory.talos
    if talos is None:
        return
    machines = _Machines(talos, read_machine_patches(facts.tree, talos))
    yield from _kubeprism(facts, machines)
    yield from _talos_access(facts, machines)
    yield from _approver(facts, machines)
    yield from _cloud(facts, machines)
    yield from _user_namespaces(facts, machines)


def _kubeprism(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    for release in facts.inventory.releases:
        host, port = (get_text(release.values, f"k8sService{key}") for key in ("Host", "Port"))
        if host not in _LOOPBACK or not (port.isdecimal() or not port):
            continue
        place = facts.locate(release.position, "spec", "values", "k8sServiceHost")
        reason = _silence(machines, port or _API_PORT)
        if reason:
            message = f"`{release.name}` asks {host} for the Kubernetes API, where {reason}"
            yield make_finding("kubeprism-not-listening", message, place)


def _silence(machines: _Machines, port: str) -> str:
    """Return why nothing answers on a port of the loopback address; empty when KubePrism does."""
    features = ("machine", "features", "kubePrism")
    enabled, place = machines.last(*features, "enabled")
    own, _ = machines.last(*features, "port")
    own_port = as_text(own) if own is not None and is_scalar(own) else _KUBEPRISM_PORT
    minor = minor_of(machines.talos.talos_version)
    if port == _API_PORT and not machines.talos.workers:
        return ""  # every node runs an API server itself
    if enabled is False:
        return f"KubePrism is switched off in `{place}`"
    if enabled is None and machines.is_complete and minor is not None and minor < _KUBEPRISM_SINCE:
        return f"Talos {machines.talos.talos_version} runs KubePrism only when told to"
    return "" if port == own_port else f"KubePrism listens on port {own_port}, not on `{port}`"


def _talos_access(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    given = [patch.find(*_ACCESS)[0] for patch in machines.patches if not patch.for_workers]
    given = [item for item in given if item is not None]
    namespaces = {n for item in given for n in get_strings(item, "allowedKubernetesNamespaces")}
    roles = {role for item in given for role in get_strings(item, "allowedRoles")}
    flags = [flag for item in given if (flag := get(item, "enabled")) is not None]
    for _, item in facts.of_kind("ServiceAccount"):
        if item.group != "talos.dev":
            continue
        lacking = sorted(set(get_strings(item.raw, "spec", "roles")) - roles)
        if not given and not machines.is_complete:
            if item.namespace == _GENERATED_NAMESPACE:
                continue
            reason = "the patches in Git allow it to no namespace"
        elif not flags or flags[-1] is not True:
            reason = "talconfig's patches do not enable kubernetesTalosAPIAccess"
        elif item.namespace not in namespaces:
            reason = f"only these namespaces may: `{', '.join(sorted(namespaces))}`"
        elif lacking:
            reason = f"no patch allows its roles: `{', '.join(lacking)}`"
        else:
            continue
        message = f"{item} in {item.namespace} gets no access to the Talos API: {reason}"
        finding = make_finding("talos-api-not-allowed", message, item.position)
        # A patch that Git lacks may allow more than ClusterTool's own does.
        is_certain = machines.is_complete
        yield finding if is_certain else replace(finding, severity=Severity.WARNING)


def _approver(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    value, place = machines.last(*_ROTATION)
    names = (*_list_programs(facts), *_list_manifests(machines))
    if value in (True, "true") and not any(word in name for name in names for word in _APPROVERS):
        message = "kubelets ask for serving certificates, but nothing live approves them"
        yield make_finding("no-csr-approver", message, place)


def _list_programs(facts: Facts) -> Iterator[str]:
    """Yield the names of what Flux brings."""
    for release in facts.inventory.releases:
        yield from (release.chart, release.name)
    for kind in _WORKLOADS:
        yield from (item.name for _, item in facts.of_kind(kind))


def _list_manifests(machines: _Machines) -> Iterator[str]:
    """Yield the URLs and texts of the manifests that Talos itself brings."""
    for patch in machines.patches:
        yield from get_strings(patch.value, "cluster", "extraManifests")
        yield from get_strings(patch.value, *_EXTERNAL, "manifests")
        for item in get_mappings(patch.value, "cluster", "inlineManifests"):
            yield get_text(item, "contents")


def _cloud(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    """Yield that nodes wait for a cloud controller manager which does not come before Flux."""
    told, place = machines.last(*_CLOUD)
    if told != "external":
        told, place = machines.last(*_EXTERNAL, "enabled")
    if told not in ("external", True) or any(map(_is_cloud_manager, _list_manifests(machines))):
        return
    found = next(filter(_is_cloud_manager, _list_programs(facts)), "")
    if found:
        reason = f"`{found}` comes with Flux only, whose own pods wait for it"
    else:
        reason = "nothing here initializes nodes"
    message = f"kubelets run with an external cloud provider, but {reason}"
    finding = make_finding("nodes-not-initialized", message, place)
    tolerates = any(
        facts.tree.mentions(item.position.path, _UNINITIALIZED)
        for _, item in facts.inventory.objects()
    )
    is_certain = machines.is_complete and not tolerates
    yield finding if is_certain else replace(finding, severity=Severity.WARNING)


def _is_cloud_manager(name: str) -> bool:
    return any(word in name for word in _CLOUD_MANAGERS)


def _user_namespaces(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    """Yield pods in a user namespace on machines where Talos allows none."""
    value, _ = machines.last(*_SYSCTLS)
    number = as_text(value) if value is not None and is_scalar(value) else ""
    if not machines.is_complete or (number.isdecimal() and int(number) > 0):
        return
    yield from _chart_defaults(facts, machines)
    seen: set[str] = set()
    for _, item in facts.inventory.objects():
        path = item.position.path
        if path in seen or not facts.tree.mentions(path, "hostUsers"):
            continue
        seen.add(path)
        text = facts.tree.text(path) or ""
        for match in _NO_HOST_USERS.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            column = match.start(1) - text.rfind("\n", 0, match.start(1))
            message = f"{item} wants a user namespace, of which Talos allows none"
            yield make_finding("user-namespaces-off", message, Position(path, line, column))


def _chart_defaults(facts: Facts, machines: _Machines) -> Iterator[Finding]:
    """Yield TrueCharts' charts, whose pods want a user namespace unless their values say no."""
    minor = minor_of(machines.talos.kubernetes_version)
    if minor is None or minor < _USER_NAMESPACES_SINCE:
        return
    urls = {source.key: source.url for source in facts.inventory.sources}
    wanting = [
        release
        for release in facts.inventory.releases
        if _TRUECHARTS in urls.get(release.source, "")
        and release.chart not in _WITHOUT_PODS
        and not release.values_from
        and get(release.values, "podOptions", "hostUsers") is not True
        and not _NEEDS_HOST.search(str(release.values))
    ]
    if wanting:
        names = ", ".join(release.name for release in wanting[:_MAX_NAMES])
        others = f" and {len(wanting) - _MAX_NAMES} more" if len(wanting) > _MAX_NAMES else ""
        message = (
            f"charts of TrueCharts want user namespaces by default, of which Talos allows none:"
            f" `{names}{others}`"
        )
        yield make_finding("user-namespaces-off", message, wanting[0].position)
