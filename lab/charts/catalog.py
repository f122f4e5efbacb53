"""What the lab knows of well-known charts: their workloads, services, webhooks and CRDs.

Names of workloads and services are those of the real charts, since whoever waits for them waits
by name; everything else is as small as it can be. A name that is not here is an application
whose shape lies in its values (`app-template`, TrueCharts and their like).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.charts import known_crds
from lab.charts.crds import Crd
from lab.kubernetes.values import Json, Object

__all__ = ["APPLICATION", "CATALOG", "Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a chart.

    `crds_in` says where the definitions lie: `templates` (part of the release), `switch`
    (templates behind `crds.enabled` or `installCRDs`), or `crds` (Helm's own folder).
    """

    templates: tuple[str, ...] = ("access", "workloads", "webhooks")
    workloads: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    webhooks: tuple[Object, ...] = ()
    crds: tuple[Crd, ...] = ()
    crds_in: str = "templates"
    values: Mapping[str, Json] = field(default_factory=dict)


def _run(kind: str, name: str, image: str, **more: Json) -> Object:
    return {"kind": kind, "name": name, "image": image, **more}


def _deploy(name: str, image: str, **more: Json) -> Object:
    return _run("Deployment", name, image, **more)


def _agent(name: str, image: str, **more: Json) -> Object:
    return _run("DaemonSet", name, image, tolerateAll=True, **more)


def _service(name: str, workload: str, port: int, target: int = 0) -> Object:
    return {"name": name, "workload": workload, "port": port, "targetPort": target or port}


def _webhook(name: str, service: str, path: str, resources: Mapping[str, str]) -> Object:
    groups: list[Json] = [*sorted(set(resources.values()))]
    return {
        "kind": "ValidatingWebhookConfiguration",
        "name": name,
        "hook": f"validate.{name}.lab.example",
        "service": service,
        "path": path,
        "groups": groups,
        "resources": [*resources],
    }


_BASE = ("access", "workloads", "webhooks")
_CILIUM = Recipe(
    templates=("access", "workloads", "cilium"),
    workloads=(
        _agent(
            "cilium",
            "quay.io/cilium/cilium",
            account="cilium",
            container="cilium-agent",
            hostNetwork=True,
            priority="system-node-critical",
            labels={"k8s-app": "cilium"},
            hostPaths=["/etc/cni/net.d", "/opt/cni/bin", "/run/cilium", "/sys/fs/bpf"],
        ),
        _deploy(
            "cilium-operator",
            "quay.io/cilium/operator-generic",
            account="cilium-operator",
            hostNetwork=True,
            tolerateAll=True,
            priority="system-cluster-critical",
            replicas=2,
            replicasFrom=["operator", "replicas"],
            labels={"io.cilium/app": "operator"},
        ),
    ),
    values={"lab": {"accounts": ["cilium", "cilium-operator"]}},
)
_LONGHORN = Recipe(
    templates=("access", "workloads", "longhorn"),
    workloads=(
        _agent(
            "longhorn-manager",
            "longhornio/longhorn-manager",
            port=9500,
            hostPaths=["/var/lib/longhorn", "/dev", "/proc"],
            labels={"app": "longhorn-manager"},
        ),
        _deploy("longhorn-driver-deployer", "longhornio/longhorn-manager"),
        _deploy("longhorn-ui", "longhornio/longhorn-ui", port=8000, replicas=2),
    ),
    services=(
        _service("longhorn-backend", "longhorn-manager", 9500),
        _service("longhorn-admission-webhook", "longhorn-manager", 9502),
    ),
    crds=known_crds.LONGHORN,
    values={"lab": {"accounts": ["longhorn-service-account"]}},
)
_CERT_MANAGER = Recipe(
    templates=(*_BASE, "startup-check"),
    workloads=(
        _deploy("cert-manager", "quay.io/jetstack/cert-manager-controller"),
        _deploy("cert-manager-cainjector", "quay.io/jetstack/cert-manager-cainjector"),
        _deploy("cert-manager-webhook", "quay.io/jetstack/cert-manager-webhook", port=10250),
    ),
    services=(_service("cert-manager-webhook", "cert-manager-webhook", 443, 10250),),
    webhooks=(
        _webhook(
            "cert-manager-webhook",
            "cert-manager-webhook",
            "/validate",
            {
                "certificates": "cert-manager.io",
                "issuers": "cert-manager.io",
                "clusterissuers": "cert-manager.io",
            },
        ),
    ),
    crds=known_crds.CERT_MANAGER,
    crds_in="switch",
    values={"crds": {"enabled": False}, "installCRDs": False},
)
_METALLB = Recipe(
    workloads=(
        _deploy("metallb-controller", "quay.io/metallb/controller", port=9443),
        _agent("metallb-speaker", "quay.io/metallb/speaker", hostNetwork=True),
    ),
    services=(_service("metallb-webhook-service", "metallb-controller", 443, 9443),),
    webhooks=(
        _webhook(
            "metallb-webhook-configuration",
            "metallb-webhook-service",
            "/validate-metallb-io-v1beta1-ipaddresspool",
            {"ipaddresspools": "metallb.io", "l2advertisements": "metallb.io"},
        ),
    ),
    crds=known_crds.METALLB,
)
# Charts of other publishers that carry the same name come in the same shape (TrueCharts'
# snapshot-controller, volsync, spegel and kubelet-csr-approver wrap the upstream ones).
CATALOG: Mapping[str, Recipe] = {
    "cilium": _CILIUM,
    "longhorn": _LONGHORN,
    "cert-manager": _CERT_MANAGER,
    "metallb": _METALLB,
    "snapshot-controller": Recipe(
        workloads=(
            _deploy("snapshot-controller", "registry.k8s.io/sig-storage/snapshot-controller"),
        ),
        crds=known_crds.SNAPSHOT,
    ),
    "cloudnative-pg": Recipe(
        workloads=(
            _deploy(
                "cloudnative-pg",
                "ghcr.io/cloudnative-pg/cloudnative-pg",
                port=9443,
                replicasFrom=["replicaCount"],
            ),
        ),
        services=(_service("cnpg-webhook-service", "cloudnative-pg", 443, 9443),),
        crds=known_crds.CNPG,
    ),
    "kube-prometheus-stack": Recipe(
        workloads=(
            _deploy("kube-prometheus-stack-operator", "quay.io/prometheus-operator/operator"),
            _deploy("kube-state-metrics", "registry.k8s.io/kube-state-metrics/kube-state-metrics"),
            _agent("node-exporter", "quay.io/prometheus/node-exporter", hostNetwork=True),
        ),
        crds=known_crds.MONITORING,
        crds_in="crds",
    ),
    "prometheus-operator-crds": Recipe(crds=known_crds.MONITORING),
    "volsync": Recipe(
        workloads=(_deploy("volsync", "quay.io/backube/volsync"),),
        crds=known_crds.VOLSYNC,
    ),
    "tuppr": Recipe(
        workloads=(_deploy("tuppr", "ghcr.io/home-operations/tuppr"),),
        crds=known_crds.TUPPR,
        crds_in="crds",
    ),
    "traefik": Recipe(
        templates=(*_BASE, "ingress-controller"),
        workloads=(
            _deploy("traefik", "docker.io/traefik", replicasFrom=["deployment", "replicas"]),
        ),
        crds=known_crds.TRAEFIK_AND_GATEWAY,
        crds_in="crds",
    ),
    "traefik-crds": Recipe(crds=known_crds.TRAEFIK),
    "ingress-nginx": Recipe(
        templates=(*_BASE, "ingress-controller"),
        workloads=(
            _deploy(
                "ingress-nginx-controller",
                "registry.k8s.io/ingress-nginx/controller",
                replicasFrom=["controller", "replicaCount"],
            ),
        ),
    ),
    "openebs": Recipe(
        workloads=(
            _deploy("openebs-localpv-provisioner", "docker.io/openebs/provisioner-localpv"),
        ),
    ),
    "metrics-server": Recipe(
        workloads=(
            _deploy(
                "metrics-server",
                "registry.k8s.io/metrics-server/metrics-server",
                port=10250,
                replicasFrom=["replicas"],
            ),
        ),
        services=(_service("metrics-server", "metrics-server", 443, 10250),),
    ),
    "kubelet-csr-approver": Recipe(
        workloads=(
            _deploy(
                "kubelet-csr-approver",
                "ghcr.io/postfinance/kubelet-csr-approver",
                tolerateAll=True,
                envFrom={
                    "PROVIDER_REGEX": "providerRegex",
                    "PROVIDER_IP_PREFIXES": "providerIpPrefixes",
                    "MAX_EXPIRATION_SEC": "maxExpirationSeconds",
                    "BYPASS_DNS_RESOLUTION": "bypassDnsResolution",
                    "IGNORE_NON_SYSTEM_NODE": "ignoreNonSystemNode",
                    "SKIP_DENY_STEP": "skipDenyStep",
                    "ALLOWED_DNS_NAMES": "allowedDnsNames",
                    "BYPASS_HOSTNAME_CHECK": "bypassHostnameCheck",
                },
            ),
        ),
    ),
    "node-feature-discovery": Recipe(
        workloads=(
            _deploy("node-feature-discovery-master", "registry.k8s.io/nfd/node-feature-discovery"),
            _deploy("node-feature-discovery-gc", "registry.k8s.io/nfd/node-feature-discovery"),
            _agent("node-feature-discovery-worker", "registry.k8s.io/nfd/node-feature-discovery"),
        ),
        crds=known_crds.NODE_FEATURES,
        crds_in="crds",
    ),
    "descheduler": Recipe(
        workloads=(
            _deploy(
                "descheduler", "registry.k8s.io/descheduler/descheduler", replicasFrom=["replicas"]
            ),
        ),
    ),
    "spegel": Recipe(workloads=(_agent("spegel", "ghcr.io/spegel-org/spegel"),)),
    "kubernetes-reflector": Recipe(
        workloads=(_deploy("kubernetes-reflector", "docker.io/emberstack/kubernetes-reflector"),)
    ),
    "external-secrets": Recipe(
        workloads=(
            _deploy("external-secrets", "ghcr.io/external-secrets/external-secrets"),
            _deploy("external-secrets-webhook", "ghcr.io/external-secrets/external-secrets"),
        ),
        crds=known_crds.EXTERNAL_SECRETS,
    ),
    "system-upgrade-controller": Recipe(
        workloads=(
            _deploy("system-upgrade-controller", "docker.io/rancher/system-upgrade-controller"),
        ),
        crds=known_crds.UPGRADE,
    ),
    "clusterissuer": Recipe(templates=("issuers",)),
    "metallb-config": Recipe(templates=("address-pools",)),
    "external-service": Recipe(templates=("app-network",)),
}
APPLICATION = Recipe(templates=("app", "app-network", "app-data"))
