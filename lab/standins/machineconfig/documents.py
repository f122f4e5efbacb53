"""The v1alpha1 document of a node, before patches, with the fields that Talos' generator writes."""

from __future__ import annotations

from lab.standins.machineconfig.network import legacy_network
from lab.standins.machineconfig.schematic import installer_image
from lab.standins.machineconfig.talconfig import Contract, Node, Talconfig
from lab.standins.secrets_bundle import SecretsBundle
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["make_extra_documents", "make_v1alpha1"]

# Defaults of `pkg/machinery/constants`.
_POD_NETWORK = "10.244.0.0/16"
_SERVICE_NETWORK = "10.96.0.0/12"
_KUBEPRISM_PORT = 7445
_EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
_KUBELET_IMAGE = "ghcr.io/siderolabs/kubelet"
_KUBERNETES_REGISTRY = "registry.k8s.io"


def make_v1alpha1(config: Talconfig, node: Node, secrets: SecretsBundle) -> JsonMap:
    """Write the main document of one node."""
    return {
        "version": "v1alpha1",
        "debug": False,
        "persist": True,
        "machine": _make_machine(config, node, secrets),
        "cluster": _make_cluster(config, node, secrets),
    }


def make_extra_documents(node: Node) -> list[JsonMap]:
    """Firewall, extension service and volume documents of a node."""
    documents: list[JsonMap] = []
    firewall = as_map(node.settings.get("ingressFirewall"))
    if firewall:
        documents.append(
            _named("NetworkDefaultActionConfig", {"ingress": firewall["defaultAction"]})
        )
        rules = as_list(firewall.get("rules"))
        documents += [_named("NetworkRuleConfig", as_map(item)) for item in rules]
    for key, kind in (
        ("extensionServices", "ExtensionServiceConfig"),
        ("volumes", "VolumeConfig"),
        ("userVolumes", "UserVolumeConfig"),
    ):
        documents += [_named(kind, as_map(item)) for item in as_list(node.settings.get(key))]
    return documents


def _named(kind: str, fields: JsonMap) -> JsonMap:
    return {"apiVersion": "v1alpha1", "kind": kind, **fields}


def _make_machine(config: Talconfig, node: Node, secrets: SecretsBundle) -> JsonMap:
    settings, contract = node.settings, config.contract
    sans = [*config.texts("additionalMachineCertSans")]
    sans += [as_text(item) for item in as_list(settings.get("certSANs"))]
    machine: JsonMap = {
        "type": "controlplane" if node.is_control_plane else "worker",
        "token": secrets.trustd_token,
        "ca": secrets.os.to_json(with_key=node.is_control_plane),
        "certSANs": list[Json](sans),
        "kubelet": {
            "image": f"{_KUBELET_IMAGE}:v{config.kubernetes_version}",
            "defaultRuntimeSeccompProfileEnabled": True,
            "disableManifestsDirectory": True,
        },
    }
    if not contract.has_kubespan_document:
        machine["network"] = {} if contract.has_network_documents else legacy_network(node)
    if settings.get("machineDisks"):
        machine["disks"] = settings["machineDisks"]
    machine["install"] = _make_install(config, node)
    if settings.get("machineFiles"):
        machine["files"] = [_make_file(as_map(item)) for item in as_list(settings["machineFiles"])]
    machine["features"] = _make_features(contract)
    if settings.get("kernelModules"):
        machine["kernel"] = {"modules": settings["kernelModules"]}
    return machine | _make_node_metadata(node)


def _make_install(config: Talconfig, node: Node) -> JsonMap:
    settings = node.settings
    install: JsonMap = {}
    if settings.get("installDisk"):
        install["disk"] = settings["installDisk"]
    if settings.get("installDiskSelector"):
        install["diskSelector"] = settings["installDiskSelector"]
    factory = as_map(config.settings.get("imageFactory"))
    install["image"] = installer_image(settings, factory, config.talos_version)
    install["wipe"] = False
    customization = as_map(as_map(settings.get("schematic")).get("customization"))
    kernel_args = as_list(customization.get("extraKernelArgs"))
    if config.contract.has_network_documents:
        # The same release made the unified kernel image's command line the default.
        install["grubUseUKICmdline"] = True
    elif kernel_args and as_map(settings.get("machineSpec")).get("useUKI") is not True:
        install["extraKernelArgs"] = kernel_args
    return install


def _make_file(item: JsonMap) -> JsonMap:
    permissions = item.get("permissions")
    mode = permissions if isinstance(permissions, int) else int(as_text(permissions) or "0", 0)
    return {
        "content": item.get("content", ""),
        "permissions": f"0o{mode:o}",
        "path": item.get("path", ""),
        "op": item.get("op", ""),
    }


def _make_features(contract: Contract) -> JsonMap:
    features: JsonMap = {}
    if not contract.has_network_documents:
        features |= {"rbac": True, "stableHostname": True, "apidCheckExtKeyUsage": True}
    return features | {
        "diskQuotaSupport": True,
        "kubePrism": {"enabled": True, "port": _KUBEPRISM_PORT},
        "hostDNS": {"enabled": True, "forwardKubeDNSToHost": True},
    }


def _make_node_metadata(node: Node) -> JsonMap:
    result: JsonMap = {}
    labels = as_map(node.settings.get("nodeLabels"))
    if labels:
        result["nodeLabels"] = {key: as_text(value) for key, value in labels.items()}
    elif node.is_control_plane:
        result["nodeLabels"] = {_EXCLUDE_LABEL: ""}
    for key in ("nodeAnnotations", "nodeTaints"):
        values = as_map(node.settings.get(key))
        if values:
            result[key] = {name: as_text(value) for name, value in values.items()}
    return result


def _make_cluster(config: Talconfig, node: Node, secrets: SecretsBundle) -> JsonMap:
    network: JsonMap = {}
    if config.settings.get("cniConfig"):
        network["cni"] = config.settings["cniConfig"]
    network |= {
        "dnsDomain": as_text(config.settings.get("domain")) or "cluster.local",
        "podSubnets": list[Json](config.texts("clusterPodNets") or [_POD_NETWORK]),
        "serviceSubnets": list[Json](config.texts("clusterSvcNets") or [_SERVICE_NETWORK]),
    }
    cluster: JsonMap = {
        "id": secrets.cluster_id,
        "secret": secrets.cluster_secret,
        "controlPlane": {"endpoint": config.endpoint},
        "clusterName": config.cluster_name,
        "network": network,
        "token": secrets.bootstrap_token,
    }
    if not node.is_control_plane:
        cluster["ca"] = secrets.kubernetes.to_json(with_key=False)
        cluster["discovery"] = _make_discovery()
        return cluster
    return cluster | _make_control_plane(config, secrets)


def _make_control_plane(config: Talconfig, secrets: SecretsBundle) -> JsonMap:
    plane: JsonMap = {}
    if secrets.aescbc_secret:
        plane["aescbcEncryptionSecret"] = secrets.aescbc_secret
    if secrets.secretbox_secret:
        plane["secretboxEncryptionSecret"] = secrets.secretbox_secret
    service_account = secrets.service_account.to_json()
    plane |= {
        "ca": secrets.kubernetes.to_json(),
        "aggregatorCA": secrets.aggregator.to_json(),
        "serviceAccount": {"key": service_account["key"]},
        "apiServer": _make_api_server(config),
        "controllerManager": {"image": _image("kube-controller-manager", config)},
        "proxy": {"image": _image("kube-proxy", config)},
        "scheduler": {"image": _image("kube-scheduler", config)},
        "discovery": _make_discovery(),
        "etcd": {"ca": secrets.etcd.to_json()},
    }
    manifests = [as_map(item) for item in as_list(config.settings.get("inlineManifests"))]
    if manifests:
        plane["inlineManifests"] = [
            {"name": item.get("name"), "contents": item.get("contents")} for item in manifests
        ]
    keys = ("allowSchedulingOnControlPlanes", "allowSchedulingOnMasters")
    if any(config.settings.get(key) is True for key in keys):
        plane["allowSchedulingOnControlPlanes"] = True
    return plane


def _make_api_server(config: Talconfig) -> JsonMap:
    sans = config.texts("additionalApiServerCertSans")
    if not config.contract.has_network_documents:
        sans = [config.endpoint.removeprefix("https://").rsplit(":", 1)[0], *sans]
    server: JsonMap = {"image": _image("kube-apiserver", config)}
    if sans:
        server["certSANs"] = list[Json](sans)
    if not config.contract.has_network_documents:
        server["disablePodSecurityPolicy"] = True
    server["admissionControl"] = [
        {
            "name": "PodSecurity",
            "configuration": {
                "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
                "defaults": {
                    "audit": "restricted",
                    "audit-version": "latest",
                    "enforce": "baseline",
                    "enforce-version": "latest",
                    "warn": "restricted",
                    "warn-version": "latest",
                },
                "exemptions": {
                    "namespaces": ["kube-system"],
                    "runtimeClasses": [],
                    "usernames": [],
                },
                "kind": "PodSecurityConfiguration",
            },
        }
    ]
    server["auditPolicy"] = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [{"level": "Metadata"}],
    }
    return server


def _make_discovery() -> JsonMap:
    return {"enabled": True, "registries": {"kubernetes": {"disabled": True}, "service": {}}}


def _image(name: str, config: Talconfig) -> str:
    return f"{_KUBERNETES_REGISTRY}/{name}:v{config.kubernetes_version}"
