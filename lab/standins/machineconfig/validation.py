"""Structural checks of a machine config, in the words of `talosctl validate`.

Known keys are those of v1alpha1 in Talos 1.13; values are checked only where a wrong one is likely
in a cluster repository. Not checked here: certificates, disk expressions, most documents.
"""

from __future__ import annotations

import base64
import binascii

from lab.standins.machineconfig.yaml_door import dump_documents
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["find_unknown_keys", "validate_documents"]

_ROOT = "version debug persist machine cluster"
_MACHINE = (
    "type token ca acceptedCAs certSANs controlPlane kubelet pods network disks install files env "
    "time sysctls sysfs registries systemDiskEncryption features udev logging kernel "
    "seccompProfiles baseRuntimeSpecOverrides nodeLabels nodeAnnotations nodeTaints"
)
_CLUSTER = (
    "id secret controlPlane clusterName network token aescbcEncryptionSecret "
    "secretboxEncryptionSecret ca acceptedCAs aggregatorCA serviceAccount apiServer "
    "controllerManager proxy scheduler discovery etcd coreDNS externalCloudProvider "
    "extraManifests extraManifestHeaders inlineManifests adminKubeconfig allowSchedulingOnMasters "
    "allowSchedulingOnControlPlanes"
)
_INSTALL = (
    "disk diskSelector extraKernelArgs image extensions bootloader wipe legacyBIOSSupport "
    "grubUseUKICmdline"
)
_KUBELET = (
    "image clusterDNS extraArgs extraMounts extraConfig credentialProviderConfig "
    "defaultRuntimeSeccompProfileEnabled registerWithFQDN nodeIP skipNodeRegistration "
    "disableManifestsDirectory"
)
_NETWORK = (
    "hostname interfaces nameservers searchDomains extraHostEntries kubespan disableSearchDomain"
)
_CLUSTER_NETWORK = "cni dnsDomain podSubnets serviceSubnets"
_KNOWN = {
    (): _ROOT,
    ("machine",): _MACHINE,
    ("cluster",): _CLUSTER,
    ("machine", "install"): _INSTALL,
    ("machine", "kubelet"): _KUBELET,
    ("machine", "network"): _NETWORK,
    ("cluster", "network"): _CLUSTER_NETWORK,
}
_KINDS = (
    "BlackholeRouteConfig BondConfig BridgeConfig DHCPv4Config DHCPv6Config DummyLinkConfig "
    "EnvironmentConfig EthernetConfig EventSinkConfig ExistingVolumeConfig "
    "ExtensionServiceConfig ExternalVolumeConfig HCloudVIPConfig HostnameConfig "
    "ImageVerificationConfig KmsgLogConfig KubeSpanConfig KubeSpanEndpointsConfig "
    "Layer2VIPConfig LinkAliasConfig LinkConfig NetworkDefaultActionConfig NetworkRuleConfig "
    "OOMConfig PCIDriverRebindConfig RawVolumeConfig RegistryAuthConfig RegistryMirrorConfig "
    "RegistryTLSConfig ResolverConfig RoutingRuleConfig SideroLinkConfig StaticHostConfig "
    "SwapVolumeConfig TCPProbeConfig TimeSyncConfig TrustedRootsConfig UserVolumeConfig "
    "VLANConfig VRFConfig VolumeConfig WatchdogTimerConfig WireguardConfig ZswapConfig"
)
# Keys of the documents that talhelper writes.
_DOCUMENT_KEYS = {
    "HostnameConfig": "auto hostname",
    "ResolverConfig": "nameservers searchDomains hostDNS",
    "Layer2VIPConfig": "name link",
    "LinkConfig": "name up mtu addresses routes multicast",
}
_MODES = {"metal": True, "cloud": False, "container": False}
_PAIRS = (
    ("machine", "ca"),
    ("cluster", "ca"),
    ("cluster", "aggregatorCA"),
    ("cluster", "serviceAccount"),
    ("cluster", "etcd", "ca"),
)


def find_unknown_keys(documents: list[JsonMap]) -> str:
    """Describe the first document that Talos' decoder would refuse, `""` when there is none."""
    for document in documents:
        kind, version = as_text(document.get("kind")), as_text(document.get("apiVersion"))
        ident = f"{version or ''}/{kind}/{as_text(document.get('name'))}" if kind else "/v1alpha1/"
        prefix = f"error decoding document {ident} (line 1): "
        if kind:
            if not version:
                return f"{prefix}missing apiVersion"
            if kind not in _KINDS.split():
                return f'{prefix}"{kind}" "{version}": not registered'
            known = _DOCUMENT_KEYS.get(kind, "").split()
            common = ("apiVersion", "kind")
            extra = [key for key in sorted(document) if known and key not in (*known, *common)]
            unknown: JsonMap = {key: document[key] for key in extra}
        else:
            unknown = _collect_unknown(document, ())
        if unknown:
            text = dump_documents([unknown], indent=4)
            return f"{prefix}unknown keys found during decoding:\n{text}"
        broken = "" if kind else _find_broken_base64(document)
        if broken:
            return f"{prefix}error decoding  to *v1alpha1.Config: {broken}"
    return ""


def validate_documents(documents: list[JsonMap], mode: str) -> str:
    """Check a whole config; the answer is the text of the error, `""` when it is valid."""
    unknown = find_unknown_keys(documents)
    if unknown:
        return unknown
    main = next((item for item in documents if "kind" not in item), None)
    problems = _validate_main(main, mode) if main is not None else []
    if not problems:
        return ""
    return _list_errors([f"v1alpha1.Config: {_list_errors(problems)}"])


def _list_errors(problems: list[str]) -> str:
    # hashicorp/go-multierror's own form, the two line ends after the list included.
    head = "1 error occurred:" if len(problems) == 1 else f"{len(problems)} errors occurred:"
    lines = "\n".join(f"\t* {item}" for item in problems)
    return f"{head}\n{lines}\n\n"


def _collect_unknown(value: JsonMap, path: tuple[str, ...]) -> JsonMap:
    known = _KNOWN.get(path)
    if known is None:
        return {}
    allowed = known.split()
    found: JsonMap = {key: value[key] for key in sorted(value) if key not in allowed}
    for key, item in value.items():
        if key in allowed and isinstance(item, dict):
            inner = _collect_unknown(item, (*path, key))
            if inner:
                found[key] = inner
    return found


def _find_broken_base64(document: JsonMap) -> str:
    for path in _PAIRS:
        value: Json = document
        for part in path:
            value = as_map(value).get(part)
        for key in ("crt", "key"):
            text = as_text(as_map(value).get(key))
            try:
                base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                return "yaml: construct errors:\n  illegal base64 data"
    return ""


def _validate_main(config: JsonMap, mode: str) -> list[str]:
    machine = as_map(config.get("machine"))
    if config.get("machine") is None:
        return ["machine instructions are required"]
    kind = as_text(machine.get("type"))
    problems = _validate_cluster(config.get("cluster"), kind)
    if _MODES.get(mode, False):
        problems += _validate_install(machine.get("install"), mode)
    problems += _validate_authorities(machine, as_map(config.get("cluster")), kind)
    if config.get("persist") is False:
        problems.append(".persist should be enabled")
    return problems


def _validate_cluster(value: Json, kind: str) -> list[str]:
    if not isinstance(value, dict):
        return ["cluster instructions are required"]
    endpoint = as_text(as_map(value.get("controlPlane")).get("endpoint"))
    if not endpoint:
        return ["cluster controlplane endpoint is required"]
    problems: list[str] = []
    if "etcd" in value and kind == "worker":
        problems.append("etcd config is only allowed on control plane machines")
    if as_map(value.get("ca")).get("key") and kind == "worker":
        problems.append("cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)")
    return problems


def _validate_install(value: Json, mode: str) -> list[str]:
    if not isinstance(value, dict):
        return [f'install instructions are required in "{mode}" mode']
    problems: list[str] = []
    if not value.get("disk") and not value.get("diskSelector"):
        problems.append("either install disk or diskSelector should be defined")
    if as_list(value.get("extraKernelArgs")) and value.get("grubUseUKICmdline") is True:
        problems.append(
            "install.extraKernelArgs and install.grubUseUKICmdline can't be used together"
        )
    return problems


def _validate_authorities(machine: JsonMap, cluster: JsonMap, kind: str) -> list[str]:
    problems: list[str] = []
    authority = as_map(machine.get("ca"))
    if "ca" not in machine and not as_list(machine.get("acceptedCAs")):
        problems.append(
            "issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)"
        )
    if kind in {"controlplane", "init"}:
        if "ca" not in machine:
            problems.append("issuing CA is required (.machine.ca)")
        elif not authority.get("key"):
            problems.append("issuing CA key is required for controlplane nodes (.machine.ca.key)")
    elif kind in {"worker", ""}:
        if authority.get("key"):
            problems.append(
                "issuing Talos API CA key is not allowed on non-controlplane nodes (.machine.ca)"
            )
        if "ca" in machine and not authority.get("crt") and not as_list(machine.get("acceptedCAs")):
            problems.append(
                "trusted CA certificates are required on non-controlplane nodes "
                "(.machine.ca.crt, .machine.acceptedCAs)"
            )
        if as_map(cluster.get("ca")).get("key"):
            problems.append(
                "issuing Kubernetes API CA key is not allowed on non-controlplane nodes "
                "(.cluster.ca)"
            )
    else:
        problems.append(f'unknown machine type "{kind}"')
    return problems
