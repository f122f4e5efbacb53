"""Who brings the CRDs of well-known API groups, for charts that cannot be rendered here.

A rendered chart always counts more than this list. Sources: the charts' own templates as of August
2026; `controller` means that the program registers the CRDs when it runs, so no chart shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Origin(StrEnum):
    """Where CRDs come from."""

    TEMPLATES = "chart templates"  # ordinary objects of the release
    CRDS_FOLDER = "crds folder of the chart"  # installed by Helm before the release's objects
    CONTROLLER = "registered by the controller when it runs"
    TALOS = "Talos itself"
    FLUX = "Flux itself"


@dataclass(frozen=True, slots=True)
class Provider:
    """Charts (or releases of generic charts) that bring a group's CRDs, best first."""

    group: str  # exact, or with a leading dot for all groups below it
    names: tuple[str, ...]
    origin: Origin

    def covers(self, group: str) -> bool:
        """Say whether the provider brings CRDs of `group`."""
        return group == self.group or (self.group[0] == "." and group.endswith(self.group))


PROVIDERS: Final[tuple[Provider, ...]] = (
    Provider("longhorn.io", ("longhorn",), Origin.TEMPLATES),
    Provider("cert-manager.io", ("cert-manager",), Origin.TEMPLATES),
    Provider("acme.cert-manager.io", ("cert-manager",), Origin.TEMPLATES),
    Provider("trust.cert-manager.io", ("trust-manager",), Origin.TEMPLATES),
    Provider(".snapshot.storage.k8s.io", ("snapshot-controller",), Origin.TEMPLATES),
    Provider("snapshot.storage.k8s.io", ("snapshot-controller",), Origin.TEMPLATES),
    Provider("volsync.backube", ("volsync",), Origin.TEMPLATES),
    Provider("postgresql.cnpg.io", ("cloudnative-pg",), Origin.TEMPLATES),
    Provider("metallb.io", ("metallb",), Origin.TEMPLATES),
    Provider("kyverno.io", ("kyverno",), Origin.TEMPLATES),
    Provider("policies.kyverno.io", ("kyverno",), Origin.TEMPLATES),
    Provider("traefik.io", ("traefik-crds", "traefik"), Origin.CRDS_FOLDER),
    Provider("hub.traefik.io", ("traefik-crds", "traefik"), Origin.CRDS_FOLDER),
    Provider(
        "monitoring.coreos.com",
        ("prometheus-operator-crds", "kube-prometheus-stack", "prometheus-operator"),
        Origin.CRDS_FOLDER,
    ),
    Provider("grafana.integreatly.org", ("grafana-operator",), Origin.CRDS_FOLDER),
    Provider("nfd.k8s-sigs.io", ("node-feature-discovery",), Origin.CRDS_FOLDER),
    Provider("deviceplugin.intel.com", ("intel-device-plugins-operator",), Origin.CRDS_FOLDER),
    Provider("fpga.intel.com", ("intel-device-plugins-operator",), Origin.CRDS_FOLDER),
    Provider("tuppr.home-operations.com", ("tuppr",), Origin.CRDS_FOLDER),
    Provider("externaldns.k8s.io", ("external-dns",), Origin.CRDS_FOLDER),
    Provider("external-secrets.io", ("external-secrets",), Origin.TEMPLATES),
    Provider("generators.external-secrets.io", ("external-secrets",), Origin.TEMPLATES),
    Provider("fluxcd.controlplane.io", ("flux-operator",), Origin.TEMPLATES),
    Provider(
        "gateway.networking.k8s.io",
        ("gateway-api-crds", "gateway-api", "gateway-helm", "envoy-gateway"),
        Origin.TEMPLATES,
    ),
    Provider("gateway.envoyproxy.io", ("gateway-helm", "envoy-gateway"), Origin.CRDS_FOLDER),
    Provider("keda.sh", ("keda",), Origin.TEMPLATES),
    Provider("dragonflydb.io", ("dragonfly-operator",), Origin.TEMPLATES),
    Provider("k8s.mariadb.com", ("mariadb-operator-crds", "mariadb-operator"), Origin.TEMPLATES),
    Provider("ceph.rook.io", ("rook-ceph",), Origin.TEMPLATES),
    Provider("openebs.io", ("openebs",), Origin.CRDS_FOLDER),
    Provider(".openebs.io", ("openebs",), Origin.CRDS_FOLDER),
    Provider("nvidia.com", ("gpu-operator",), Origin.CRDS_FOLDER),
    Provider("resource.nvidia.com", ("nvidia-dra-driver-gpu",), Origin.CRDS_FOLDER),
    Provider("k8s.cni.cncf.io", ("multus", "multus-cni"), Origin.TEMPLATES),
    Provider("system-upgrade.cattle.io", ("system-upgrade-controller",), Origin.CONTROLLER),
    Provider("upgrade.cattle.io", ("system-upgrade-controller",), Origin.CONTROLLER),
    Provider("cilium.io", ("cilium",), Origin.CONTROLLER),
    Provider("talos.dev", (), Origin.TALOS),
    Provider(".toolkit.fluxcd.io", (), Origin.FLUX),
)


def find_provider(group: str) -> Provider | None:
    """Return who brings the CRDs of an API group, as far as it is known."""
    for provider in PROVIDERS:
        if provider.covers(group):
            return provider
    return None
