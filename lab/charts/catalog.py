"""What the lab knows of well-known charts: their workloads, services, webhooks and CRDs.

Names of workloads and services are those of the real charts, since whoever waits for them waits
by name; everything else is as small as it can be. A name that is not here is an application
whose shape lies in its values (`app-template`, TrueCharts and their like).
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.charts import known_crds
from lab.charts.approvers import APPROVERS
from lab.charts.recipe import Recipe, agent, deploy, service, webhook

__all__ = ["APPLICATION", "CATALOG"]


_BASE = ("access", "workloads", "webhooks")
_CILIUM = Recipe(
    templates=("access", "workloads", "cilium"),
    workloads=(
        agent(
            "cilium",
            "quay.io/cilium/cilium",
            account="cilium",
            container="cilium-agent",
            hostNetwork=True,
            priority="system-node-critical",
            labels={"k8s-app": "cilium"},
            hostPaths=["/etc/cni/net.d", "/opt/cni/bin", "/run/cilium", "/sys/fs/bpf"],
        ),
        deploy(
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
        agent(
            "longhorn-manager",
            "longhornio/longhorn-manager",
            port=9500,
            hostPaths=["/var/lib/longhorn", "/dev", "/proc"],
            labels={"app": "longhorn-manager"},
        ),
        deploy("longhorn-driver-deployer", "longhornio/longhorn-manager"),
        deploy("longhorn-ui", "longhornio/longhorn-ui", port=8000, replicas=2),
    ),
    services=(
        service("longhorn-backend", "longhorn-manager", 9500),
        service("longhorn-admission-webhook", "longhorn-manager", 9502),
    ),
    crds=known_crds.LONGHORN,
    values={"lab": {"accounts": ["longhorn-service-account"]}},
)
_CERT_MANAGER = Recipe(
    templates=(*_BASE, "startup-check"),
    workloads=(
        deploy("cert-manager", "quay.io/jetstack/cert-manager-controller"),
        deploy("cert-manager-cainjector", "quay.io/jetstack/cert-manager-cainjector"),
        deploy("cert-manager-webhook", "quay.io/jetstack/cert-manager-webhook", port=10250),
    ),
    services=(service("cert-manager-webhook", "cert-manager-webhook", 443, 10250),),
    webhooks=(
        webhook(
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
        deploy("metallb-controller", "quay.io/metallb/controller", port=9443),
        agent("metallb-speaker", "quay.io/metallb/speaker", hostNetwork=True),
    ),
    services=(service("metallb-webhook-service", "metallb-controller", 443, 9443),),
    webhooks=(
        webhook(
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
    **APPROVERS,
    "cilium": _CILIUM,
    "longhorn": _LONGHORN,
    "cert-manager": _CERT_MANAGER,
    "metallb": _METALLB,
    "snapshot-controller": Recipe(
        workloads=(
            deploy("snapshot-controller", "registry.k8s.io/sig-storage/snapshot-controller"),
        ),
        crds=known_crds.SNAPSHOT,
    ),
    "cloudnative-pg": Recipe(
        workloads=(
            deploy(
                "cloudnative-pg",
                "ghcr.io/cloudnative-pg/cloudnative-pg",
                port=9443,
                replicasFrom=["replicaCount"],
            ),
        ),
        services=(service("cnpg-webhook-service", "cloudnative-pg", 443, 9443),),
        crds=known_crds.CNPG,
    ),
    "kube-prometheus-stack": Recipe(
        workloads=(
            deploy("kube-prometheus-stack-operator", "quay.io/prometheus-operator/operator"),
            deploy("kube-state-metrics", "registry.k8s.io/kube-state-metrics/kube-state-metrics"),
            agent("node-exporter", "quay.io/prometheus/node-exporter", hostNetwork=True),
        ),
        crds=known_crds.MONITORING,
        crds_in="crds",
    ),
    "prometheus-operator-crds": Recipe(crds=known_crds.MONITORING),
    "volsync": Recipe(
        workloads=(deploy("volsync", "quay.io/backube/volsync"),),
        crds=known_crds.VOLSYNC,
    ),
    "tuppr": Recipe(
        workloads=(deploy("tuppr", "ghcr.io/home-operations/tuppr"),),
        crds=known_crds.TUPPR,
        crds_in="crds",
    ),
    "traefik": Recipe(
        templates=(*_BASE, "ingress-controller"),
        workloads=(
            deploy("traefik", "docker.io/traefik", replicasFrom=["deployment", "replicas"]),
        ),
        crds=known_crds.TRAEFIK_AND_GATEWAY,
        crds_in="crds",
    ),
    "traefik-crds": Recipe(crds=known_crds.TRAEFIK),
    "ingress-nginx": Recipe(
        templates=(*_BASE, "ingress-controller"),
        workloads=(
            deploy(
                "ingress-nginx-controller",
                "registry.k8s.io/ingress-nginx/controller",
                replicasFrom=["controller", "replicaCount"],
            ),
        ),
    ),
    "openebs": Recipe(
        workloads=(deploy("openebs-localpv-provisioner", "docker.io/openebs/provisioner-localpv"),),
    ),
    "metrics-server": Recipe(
        workloads=(
            deploy(
                "metrics-server",
                "registry.k8s.io/metrics-server/metrics-server",
                port=10250,
                replicasFrom=["replicas"],
            ),
        ),
        services=(service("metrics-server", "metrics-server", 443, 10250),),
    ),
    "node-feature-discovery": Recipe(
        workloads=(
            deploy("node-feature-discovery-master", "registry.k8s.io/nfd/node-feature-discovery"),
            deploy("node-feature-discovery-gc", "registry.k8s.io/nfd/node-feature-discovery"),
            agent("node-feature-discovery-worker", "registry.k8s.io/nfd/node-feature-discovery"),
        ),
        crds=known_crds.NODE_FEATURES,
        crds_in="crds",
    ),
    "descheduler": Recipe(
        workloads=(
            deploy(
                "descheduler", "registry.k8s.io/descheduler/descheduler", replicasFrom=["replicas"]
            ),
        ),
    ),
    "spegel": Recipe(workloads=(agent("spegel", "ghcr.io/spegel-org/spegel"),)),
    "kubernetes-reflector": Recipe(
        workloads=(deploy("kubernetes-reflector", "docker.io/emberstack/kubernetes-reflector"),)
    ),
    "external-secrets": Recipe(
        workloads=(
            deploy("external-secrets", "ghcr.io/external-secrets/external-secrets"),
            deploy("external-secrets-webhook", "ghcr.io/external-secrets/external-secrets"),
        ),
        crds=known_crds.EXTERNAL_SECRETS,
    ),
    "system-upgrade-controller": Recipe(
        workloads=(
            deploy("system-upgrade-controller", "docker.io/rancher/system-upgrade-controller"),
        ),
        crds=known_crds.UPGRADE,
    ),
    "clusterissuer": Recipe(templates=("issuers",)),
    "metallb-config": Recipe(templates=("address-pools",)),
    "external-service": Recipe(templates=("app-network",)),
}
APPLICATION = Recipe(templates=("app", "app-network", "app-data"))
