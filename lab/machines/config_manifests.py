"""What a machine config says of the manifests that Talos brings; defaults are Talos 1.13.9's."""

from __future__ import annotations

from lab.machines.components import DEFAULT_KUBERNETES
from lab.machines.images import read_tag
from lab.machines.yamltree import Tree
from lab.ports import TalosManifests

__all__ = ["read_manifests"]

_FLANNEL_IMAGE = "ghcr.io/siderolabs/flannel:0.28.8"
_DEFAULTS = TalosManifests()
_KUBEPRISM_PORT = "7445"
_NFTABLES_SINCE = 31  # the minor version of kube-proxy


def read_manifests(machine: Tree, cluster: Tree) -> TalosManifests:
    """Read what decides them, of a control plane; workers bring none."""
    if machine.at("type").text() != "controlplane":
        return _DEFAULTS
    cloud, cni = cluster.at("externalCloudProvider"), cluster.at("network", "cni")
    dns, flannel = cluster.at("coreDNS"), (cni.at("name").text() or "flannel") == "flannel"
    dns_image = dns.at("image").text() or _DEFAULTS.dns_image
    pods = cluster.at("network", "podSubnets").texts()
    subnet = pods[0] if pods else _DEFAULTS.pod_subnet
    prism = machine.at("features", "kubePrism")
    port = prism.at("port").text() or _KUBEPRISM_PORT
    endpoint = cluster.at("controlPlane", "endpoint").text()
    proxy_image = _read_proxy_image(machine, cluster)
    return TalosManifests(
        inline=tuple(
            (item.at("name").text(), item.at("contents").text())
            for item in cluster.at("inlineManifests").items()
        ),
        urls=cluster.at("extraManifests").texts(),
        cloud_urls=cloud.at("manifests").texts() if cloud.at("enabled").flag() else (),
        network_urls=cni.at("urls").texts() if cni.at("name").text() == "custom" else (),
        dns_image="" if dns.at("disabled").flag() else dns_image,
        dns_domain=cluster.at("network", "dnsDomain").text() or _DEFAULTS.dns_domain,
        flannel_image=_FLANNEL_IMAGE if flannel else "",
        flannel_arguments=cni.at("flannel", "extraArgs").texts(),
        pod_subnet=subnet,
        proxy_image=proxy_image,
        proxy_arguments=_list_proxy_arguments(cluster.at("proxy"), proxy_image, subnet),
        server=f"https://127.0.0.1:{port}" if prism.at("enabled").flag() else endpoint,
        bootstrap_token=cluster.at("token").text(),
        has_talos_api=machine.at("features", "kubernetesTalosAPIAccess", "enabled").flag(),
    )


def _read_proxy_image(machine: Tree, cluster: Tree) -> str:
    proxy = cluster.at("proxy")
    if proxy.at("disabled").flag():
        return ""
    version = read_tag(machine.at("kubelet", "image").text()) or DEFAULT_KUBERNETES
    return proxy.at("image").text() or f"registry.k8s.io/kube-proxy:{version}"


def _list_proxy_arguments(proxy: Tree, image: str, subnet: str) -> tuple[str, ...]:
    _, minor, *_ = [*read_tag(image).partition("@")[0].split("."), "", ""]
    is_old = minor.isdecimal() and int(minor) < _NFTABLES_SINCE
    flags = {
        "cluster-cidr": subnet,
        "conntrack-max-per-core": "0",
        "hostname-override": "$(NODE_NAME)",
        "kubeconfig": "/etc/kubernetes/kubeconfig",
        "proxy-mode": proxy.at("mode").text() or ("iptables" if is_old else "nftables"),
        **proxy.at("extraArgs").mapping(),
    }
    return tuple(f"--{flag}={value}" for flag, value in sorted(flags.items()))
