"""Faults of the world while it runs, named as the switches of machines, pods and sources."""

from __future__ import annotations

from lab.faults.values import Answer, Hands, RunningFault, Strike, Target
from lab.flux.faults import SourceFault
from lab.kubernetes.faults import PodFault
from lab.machines.faults import Fault

__all__ = ["RUNNING_FAULTS"]

_TALOS = "https://github.com/siderolabs/talos/issues/"


def _step(name: str) -> Answer:
    return Answer("step", name)


def _gate(name: str) -> Answer:
    return Answer("gate", name)


def _diagnosis(name: str) -> Answer:
    return Answer("diagnosis", name)


def _of_machine(fault: Fault) -> Strike:
    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.machines[target].set_fault(fault, on=on)

    return strike


def _of_pods(fault: PodFault) -> Strike:
    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.kubernetes.set_fault(target, fault, on=on)

    return strike


def _strike_installer(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
    hands.registry.set_absent(target, on=on)


def _machine(
    fault: Fault,
    does: str,
    origin: str,
    *answers: Answer,
    target: Target = Target.WORKER,
    leaves_data: bool = False,
    fewest_planes: int = 1,
) -> RunningFault:
    return RunningFault(
        fault.value,
        target,
        does,
        origin,
        _of_machine(fault),
        answers,
        leaves_data=leaves_data,
        fewest_planes=fewest_planes,
    )


def _pods(
    fault: PodFault, does: str, origin: str, signature: str, *, target: Target = Target.POD
) -> RunningFault:
    """Make one that breaks a component: its layer's gate waits, and a diagnosis says why."""
    answers = (_gate("layer-is-ready"), _diagnosis(signature))
    return RunningFault(fault.value, target, does, origin, _of_pods(fault), answers)


def _source(fault: SourceFault, does: str, origin: str, signature: str) -> RunningFault:
    """Make one that keeps a source away from whatever is built from it."""

    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.sources.set_fault(target, fault, on=on)

    # Of the cluster's own repository the commit is missed first.
    answers = (_step("fetch-commit"), _gate("sources-are-ready"), _diagnosis(signature))
    return RunningFault(fault.value, Target.SOURCE, does, origin, strike, answers)


RUNNING_FAULTS = (
    _machine(
        Fault.UNREACHABLE,
        "Nothing listens: connection refused.",
        f"{_TALOS}8955",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.SILENT,
        "The connection is accepted and nothing ever answers: a handshake that times out.",
        f"{_TALOS}11830",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.FOREIGN_CLUSTER,
        "It runs as a member of another cluster, under that cluster's CA.",
        "https://github.com/freed-dev-llc/turing-rk1-cluster/issues/39",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.TWO_DISKS,
        "A second disk like the first: a selector by size, model or type matches both.",
        f"{_TALOS}12370",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.NO_DISK,
        "Only the boot medium is there: no disk selector matches.",
        f"{_TALOS}14228",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.DISK_WITH_DATA,
        "The disk to install to holds somebody's partitions.",
        f"{_TALOS}9647",
        _gate("machine-is-known"),
    ),
    _machine(
        Fault.TIME_NOT_SYNCED,
        "The clock has no server to follow.",
        "https://www.talos.dev/latest/talos-guides/configuration/time-sync/",
        _gate("clocks-agree"),
    ),
    _machine(
        Fault.CLOCK_AHEAD,
        "The clock is a day ahead, and so is the certificate of maintenance mode.",
        "https://www.talos.dev/latest/talos-guides/configuration/time-sync/",
        _gate("clocks-agree"),
    ),
    _machine(
        Fault.SLOW_INSTALL,
        "Pulling the installer takes ten times as long; a run waits, since it sees it go on.",
        f"{_TALOS}11219",
    ),
    _machine(
        Fault.INSTALL_FAILS,
        "The installer fails: back to maintenance; an upgrade ends with exit code 1.",
        f"{_TALOS}7986",
        _step("apply-machine-config"),
    ),
    _machine(
        Fault.SLOW_BOOTSTRAP,
        "`bootstrap is not available yet` for two minutes after boot; a run tries again.",
        f"{_TALOS}12533",
        target=Target.CONTROL_PLANE,
    ),
    _machine(
        Fault.OLD_VERSION,
        "A reboot into another version falls back to the old one, silently."
        " Upgrades are to answer it; a bootstrap does not meet it.",
        f"{_TALOS}10364",
    ),
    _machine(
        Fault.LOST_STATE,
        "A reboot finds no machine config and ends in maintenance, with a disk that holds data:"
        " the next run asks for consent before it installs again.",
        "https://github.com/onedr0p/cluster-template/pull/1438",
        _step("apply-machine-config"),
        leaves_data=True,
    ),
    _machine(
        Fault.ETCD_LEARNER,
        "The member joins and is never promoted; it takes two control planes.",
        f"{_TALOS}7903",
        _gate("etcd-is-healthy"),
        _diagnosis("etcd-learner"),
        target=Target.CONTROL_PLANE,
        fewest_planes=2,
    ),
    RunningFault(
        "absent-installer",
        Target.INSTALLER,
        "The registry has no such installer image.",
        "https://github.com/siderolabs/image-factory/issues/456",
        _strike_installer,
        (_gate("installer-images-exist"),),
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
    RunningFault(
        PodFault.VOLUMES_DEGRADED.value,
        Target.VOLUME,
        "Longhorn volumes of pods whose `namespace/name` begins with the target lack replicas.",
        "https://github.com/postfinance/topf/issues/135",
        _of_pods(PodFault.VOLUMES_DEGRADED),
        (_gate("layer-keeps-promises"), _diagnosis("volume-unhealthy")),
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
)
