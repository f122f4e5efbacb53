"""What well-known charts define: groups, versions, kinds and scopes of the real ones."""

from __future__ import annotations

from lab.charts.crds import make_crds

__all__ = [
    "CERT_MANAGER",
    "CNPG",
    "EXTERNAL_SECRETS",
    "LONGHORN",
    "METALLB",
    "MONITORING",
    "NODE_FEATURES",
    "SNAPSHOT",
    "TRAEFIK",
    "TRAEFIK_AND_GATEWAY",
    "TUPPR",
    "UPGRADE",
    "VOLSYNC",
]

LONGHORN = make_crds(
    "longhorn.io",
    ("v1beta2",),
    "BackingImage BackingImageDataSource BackingImageManager Backup BackupBackingImage "
    "BackupTarget BackupVolume EngineImage Engine InstanceManager Node Orphan RecurringJob "
    "Replica Setting ShareManager Snapshot SupportBundle SystemBackup SystemRestore "
    "VolumeAttachment Volume",
)
CERT_MANAGER = (
    *make_crds("cert-manager.io", ("v1",), "Certificate CertificateRequest Issuer"),
    *make_crds("cert-manager.io", ("v1",), "ClusterIssuer", scope="Cluster"),
    *make_crds("acme.cert-manager.io", ("v1",), "Order Challenge"),
)
METALLB = make_crds(
    "metallb.io",
    ("v1beta1",),
    "IPAddressPool L2Advertisement BGPAdvertisement BGPPeer BFDProfile "
    "Community/communities ServiceL2Status/servicel2statuses "
    "ServiceBGPStatus/servicebgpstatuses ConfigurationState",
)
SNAPSHOT = (
    *make_crds(
        "snapshot.storage.k8s.io",
        ("v1",),
        "VolumeSnapshotClass/volumesnapshotclasses VolumeSnapshotContent",
        scope="Cluster",
    ),
    *make_crds("snapshot.storage.k8s.io", ("v1",), "VolumeSnapshot"),
    *make_crds("groupsnapshot.storage.k8s.io", ("v1beta2",), "VolumeGroupSnapshot"),
)
MONITORING = (
    *make_crds(
        "monitoring.coreos.com",
        ("v1",),
        "Alertmanager PodMonitor Probe Prometheus/prometheuses PrometheusRule ServiceMonitor "
        "ThanosRuler",
    ),
    *make_crds(
        "monitoring.coreos.com", ("v1alpha1",), "AlertmanagerConfig PrometheusAgent ScrapeConfig"
    ),
)
TRAEFIK = make_crds(
    "traefik.io",
    ("v1alpha1",),
    "IngressRoute IngressRouteTCP IngressRouteUDP Middleware MiddlewareTCP ServersTransport "
    "ServersTransportTCP TLSOption TLSStore TraefikService",
)
TRAEFIK_AND_GATEWAY = (
    *TRAEFIK,
    *make_crds(
        "gateway.networking.k8s.io", ("v1",), "GatewayClass/gatewayclasses", scope="Cluster"
    ),
    *make_crds("gateway.networking.k8s.io", ("v1",), "Gateway HTTPRoute GRPCRoute"),
)
CNPG = (
    *make_crds(
        "postgresql.cnpg.io",
        ("v1",),
        "Backup Cluster Database FailoverQuorum ImageCatalog Pooler Publication "
        "ScheduledBackup Subscription",
    ),
    *make_crds("postgresql.cnpg.io", ("v1",), "ClusterImageCatalog", scope="Cluster"),
)
NODE_FEATURES = (
    *make_crds("nfd.k8s-sigs.io", ("v1alpha1",), "NodeFeature"),
    *make_crds(
        "nfd.k8s-sigs.io", ("v1alpha1",), "NodeFeatureRule NodeFeatureGroup", scope="Cluster"
    ),
)
EXTERNAL_SECRETS = (
    *make_crds("external-secrets.io", ("v1",), "ExternalSecret SecretStore"),
    *make_crds(
        "external-secrets.io", ("v1",), "ClusterSecretStore ClusterExternalSecret", scope="Cluster"
    ),
)
TUPPR = make_crds(
    "tuppr.home-operations.com", ("v1alpha1",), "TalosUpgrade KubernetesUpgrade", scope="Cluster"
)
VOLSYNC = make_crds("volsync.backube", ("v1alpha1",), "ReplicationSource ReplicationDestination")
UPGRADE = make_crds("upgrade.cattle.io", ("v1",), "Plan")
