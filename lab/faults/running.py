"""Faults of the world while it runs, named as the switches of machines, pods and sources."""

from __future__ import annotations

from lab.faults.answers import by_diagnosis, by_gate, by_step
from lab.faults.api import API_FAULTS
from lab.faults.machines import MACHINE_FAULTS
from lab.faults.storage import STORAGE_FAULTS
from lab.faults.values import Hands, RunningFault, Strike, Target, strike_pods
from lab.flux.faults import SourceFault
from lab.kubernetes.faults import PodFault

__all__ = ["RUNNING_FAULTS"]


def _strike_installer(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
    hands.registry.set_absent(target, on=on)


def _pods(
    fault: PodFault, does: str, origin: str, signature: str, *, target: Target = Target.POD
) -> RunningFault:
    """Make one that breaks a component: its layer's gate waits, and a diagnosis says why."""
    answers = (by_gate("layer-is-ready"), by_diagnosis(signature))
    return RunningFault(fault.value, target, does, origin, strike_pods(fault), answers)


def _request(fault: PodFault, does: str, origin: str) -> RunningFault:
    """Make one of the request for a kubelet's serving certificate: its step names it."""
    answers = (by_step("approve-serving-certificate"),)
    return RunningFault(fault.value, Target.WORKER, does, origin, strike_pods(fault), answers)


def _strike_sources(fault: SourceFault) -> Strike:
    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.sources.set_fault(target, fault, on=on)

    return strike


def _chart(fault: SourceFault, does: str, signature: str) -> RunningFault:
    """Make one that keeps charts away from the releases of them."""
    origin = "https://fluxcd.io/flux/components/source/helmrepositories/#helmrepository-status"
    gates = ["sources-are-ready", "layer-is-ready"]
    if fault is SourceFault.CHART_GONE:
        origin = "https://fluxcd.io/flux/components/source/helmcharts/#conditions"
        gates = gates[1:]
    answers = (*map(by_gate, gates), by_diagnosis(signature))
    strike = _strike_sources(fault)
    return RunningFault(fault.value, Target.CHARTS, does, origin, strike, answers)


def _artifact(fault: SourceFault, does: str, signature: str) -> RunningFault:
    """Make one that keeps away what lies in registries: OCIRepositories, and charts of others."""
    origin = "https://fluxcd.io/flux/components/source/ocirepositories/#conditions"
    gates = map(by_gate, ("sources-are-ready", "layer-is-ready"))
    answers = (*gates, by_diagnosis(signature))
    strike = _strike_sources(fault)
    return RunningFault(fault.value, Target.ARTIFACTS, does, origin, strike, answers)


def _source(fault: SourceFault, does: str, origin: str, signature: str) -> RunningFault:
    """Make one that keeps a source away from whatever is built from it."""
    # Of the cluster's own repository the commit is missed first.
    answers = (by_step("fetch-commit"), by_gate("sources-are-ready"), by_diagnosis(signature))
    return RunningFault(fault.value, Target.SOURCE, does, origin, _strike_sources(fault), answers)


RUNNING_FAULTS = (
    *MACHINE_FAULTS,
    *API_FAULTS,
    RunningFault(
        "absent-installer",
        Target.INSTALLER,
        "The registry has no such installer image.",
        "https://github.com/siderolabs/image-factory/issues/456",
        _strike_installer,
        (by_gate("installer-images-exist"),),
    ),
    _pods(
        PodFault.UNPULLABLE,
        "Images whose name contains the target do not exist.",
        "https://kubernetes.io/docs/concepts/containers/images/",
        "image-not-pulled",
        target=Target.IMAGE,
    ),
    _pods(
        PodFault.PULL_LIMITED,
        "The registry limits how often images whose name contains the target are pulled.",
        "https://github.com/magenx/hek3ster/issues/236",
        "rate-limited",
        target=Target.IMAGE,
    ),
    _pods(
        PodFault.PULL_DENIED,
        "The registry refuses images whose name contains the target without credentials.",
        "https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/",
        "registry-denied",
        target=Target.IMAGE,
    ),
    _pods(
        PodFault.REGISTRY_UNRESOLVED,
        "The nodes cannot resolve the registry of images whose name contains the target.",
        "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
        "name-not-resolved",
        target=Target.IMAGE,
    ),
    _pods(
        PodFault.REGISTRY_EXPIRED,
        "The registry's certificate is out of time for images whose name contains the target.",
        "https://www.talos.dev/latest/talos-guides/configuration/time-sync/",
        "certificate-out-of-time",
        target=Target.IMAGE,
    ),
    _pods(
        PodFault.CRASHING,
        "Containers of pods whose `namespace/name` begins with the target end again and again.",
        "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/",
        "crash-loop",
    ),
    _pods(
        PodFault.OUT_OF_MEMORY,
        "Containers of pods whose `namespace/name` begins with the target are ended for memory.",
        "https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
        "out-of-memory",
    ),
    _pods(
        PodFault.WEBHOOK_SILENT,
        "Webhooks whose Service's `namespace/name` begins with the target answer too late.",
        "https://github.com/cert-manager/cert-manager/issues/8895",
        "webhook-silent",
        target=Target.WEBHOOK,
    ),
    _pods(
        PodFault.WEBHOOK_UNTRUSTED,
        "Webhooks whose Service's `namespace/name` begins with the target have no trusted CA.",
        "https://cert-manager.io/docs/troubleshooting/webhook/",
        "webhook-untrusted",
        target=Target.WEBHOOK,
    ),
    _pods(
        PodFault.WEBHOOK_DENIES,
        "Webhooks whose Service's `namespace/name` begins with the target refuse every object.",
        "https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/",
        "webhook-denied",
        target=Target.WEBHOOK,
    ),
    *STORAGE_FAULTS,
    _request(
        PodFault.REQUEST_ABSENT,
        "The machine's kubelet never asks for its serving certificate.",
        "https://www.talos.dev/latest/kubernetes-guides/configuration/deploy-metrics-server/",
    ),
    _request(
        PodFault.REQUEST_FOREIGN,
        "The machine's kubelet asks for a certificate with the API server's name: never approved.",
        "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/",
    ),
    _source(
        SourceFault.GIT_DENIED,
        "The Git server refuses the deploy key.",
        "https://fluxcd.io/flux/components/source/gitrepositories/#ssh-authentication",
        "git-denied",
    ),
    _source(
        SourceFault.GIT_HOST_KEY,
        "The Git server shows another host key than the known one.",
        "https://fluxcd.io/flux/components/source/gitrepositories/#ssh-authentication",
        "git-host-key",
    ),
    _source(
        SourceFault.GIT_UNRESOLVED,
        "The name of the Git server does not resolve.",
        "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
        "name-not-resolved",
    ),
    _source(
        SourceFault.GIT_BRANCH_ABSENT,
        "The Git server has no such branch.",
        "https://fluxcd.io/flux/components/source/gitrepositories/#branch-example",
        "git-reference-missing",
    ),
    _source(
        SourceFault.GIT_EXPIRED,
        "The Git server's certificate is out of time.",
        "https://fluxcd.io/flux/components/source/gitrepositories/#https-certificate-authority",
        "certificate-out-of-time",
    ),
    _chart(
        SourceFault.INDEX_BROKEN,
        "The index of Helm repositories served over HTTP is no YAML.",
        "helm-index-broken",
    ),
    _chart(
        SourceFault.INDEX_DENIED,
        "Helm repositories served over HTTP refuse their index without credentials.",
        "registry-denied",
    ),
    _chart(
        SourceFault.INDEX_ABSENT,
        "Helm repositories served over HTTP have no index any more.",
        "helm-index-missing",
    ),
    _chart(
        SourceFault.CHART_GONE,
        "The versions of charts that releases ask for are no longer in the index.",
        "chart-version-missing",
    ),
    _artifact(
        SourceFault.OCI_TAG_GONE,
        "Registries no longer have the tags and versions of charts and artifacts.",
        "artifact-missing",
    ),
    _artifact(
        SourceFault.OCI_DENIED,
        "Registries refuse charts and artifacts without credentials.",
        "registry-denied",
    ),
    _artifact(
        SourceFault.OCI_ABSENT,
        "Nothing listens any more where the registries of charts and artifacts were.",
        "registry-silent",
    ),
)
