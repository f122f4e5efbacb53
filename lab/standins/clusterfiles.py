"""Files of a ClusterTool repository: decryption in place, clusterenv's rules, patches, settings."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.standins.machineconfig.yaml_door import YamlError, dump_documents, load_document
from lab.standins.values import JsonMap, as_list, as_map, as_text

__all__ = [
    "SOPS_VARIABLE",
    "ClusterFilesError",
    "check_clusterenv",
    "decrypt_repository",
    "find_unquoted_number",
    "read_decrypted",
    "write_cluster_settings",
    "write_patches",
]

# Where the lab's sops is: one that a wheel put on PATH costs a Python start for each file.
SOPS_VARIABLE = "TALOS_LAB_SOPS"
_SOPS_AT_ONCE = 4  # short processes on a small machine
_REQUIRED = (
    "VIP",
    "MASTER1IP_IP",
    "MASTER1IP_NETMASK",
    "HEADLAMP_IP",
    "GATEWAY",
    "METALLB_RANGE",
    "PODNET",
    "SVCNET",
    "DOMAIN_0",
    "DOMAIN_0_EMAIL",
    "DOMAIN_0_CLOUDFLARE_TOKEN",
)
_NO_RULES = "error reading file: stat .sops.yaml: no such file or directory"
_NO_KEY = "Error getting data key: 0 successful groups required, got 0"
_SKIPPED_FOLDERS = frozenset({".git"})
# What follows the first colon, as `checkQuotedNumbersInFile` of pkg/initfiles/clusterenv.go has it.
_NUMBER = re.compile(r"[^:]*:\s*[0-9]+(?:\.[0-9]+)?\s*$")


class ClusterFilesError(Exception):
    """A file that cannot be read or decrypted.

    Attributes:
        path: The file.
        reason: Why, in the words of SOPS' library.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decrypt_repository(root: Path) -> list[Path]:
    """Decrypt in place every file that `.sops.yaml` names and SOPS encrypted.

    Returns:
        The files that were encrypted.

    Raises:
        ClusterFilesError: No `.sops.yaml`, or the first file that does not decrypt; files before
            it stay decrypted, as with the real tool.
    """
    rules = root / ".sops.yaml"
    if not rules.is_file():
        raise ClusterFilesError(rules, _NO_RULES)
    found = [path for path in _matching_files(root, rules) if _is_encrypted(path)]
    with ThreadPoolExecutor(_SOPS_AT_ONCE) as pool:
        for path, text in zip(found, pool.map(_run_sops, found), strict=True):
            path.write_text(text)
    return found


def read_decrypted(path: Path) -> str:
    """Read a file, decrypted when it is YAML that SOPS encrypted.

    Raises:
        ClusterFilesError: It does not decrypt.
        FileNotFoundError: It does not exist.
    """
    text = path.read_text()
    return _run_sops(path) if _is_encrypted(path) else text


def check_clusterenv(variables: Mapping[str, str]) -> str:
    """Say what ClusterTool has against a clusterenv.yaml, `""` when nothing."""
    for key in _REQUIRED:
        if not variables.get(key):
            return f"{key} cannot be empty\n"
    vip, master = variables.get("VIP_IP", ""), variables["MASTER1IP_IP"]
    gateway, pool = variables["GATEWAY"], variables["METALLB_RANGE"]
    if master in {gateway, vip}:
        return "Cannot proceed, MASTER1IP cannot match GATEWAY or VIP"
    for name, address in (("VIP", vip), ("MASTER1IP", master), ("GATEWAY", gateway)):
        inside = _is_in_range(address, pool)
        if inside is None:
            return f"Error checking {name} against METALLB_RANGE: invalid IP address or range\n"
        if inside:
            return f"Cannot proceed, {name} cannot be in the METALLB_RANGE"
    if not _is_in_range(variables["HEADLAMP_IP"], pool):
        return "Cannot proceed, HEADLAMP_IP must be in the METALLB_RANGE"
    return _find_overlap(variables, vip, master, gateway)


def find_unquoted_number(text: str) -> str:
    """Find the first line whose value is a bare number, `""` when there is none."""
    for line in text.splitlines():
        if not line.strip()[:1].isdigit() and _NUMBER.match(line):
            return line
    return ""


def write_cluster_settings(root: Path, cluster: str) -> None:
    """Write the ConfigMap `cluster-config` that Flux substitutes from."""
    clusterenv = root / "clusterenv.yaml"
    if not clusterenv.is_file():
        return
    lines = [f"  {line}\n" for line in [*clusterenv.read_text().splitlines(), ""]]
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cluster-config\n"
    target = root / "kubernetes" / "flux-system" / "flux" / "clustersettings.secret.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(lines) + f"  CLUSTERNAME: {cluster}\n"
    target.write_text(f"{head}  namespace: flux-system\ndata:\n{body}")


def write_patches(folder: Path, variables: Mapping[str, str]) -> None:
    """Write the patches that ClusterTool brings and Git ignores; existing ones are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    everywhere: JsonMap = {
        "cluster": {"proxy": {"disabled": True}},
        "machine": {
            "time": {"disabled": False, "servers": ["time.cloudflare.com"]},
            "kubelet": {
                "extraArgs": {"rotate-server-certificates": "true"},
                "extraConfig": {"maxPods": 250, "shutdownGracePeriod": "15s"},
                "extraMounts": [
                    _bind_mount("/var/openebs/local"),
                    _bind_mount("/var/lib/longhorn"),
                ],
            },
            "features": {"hostDNS": {"resolveMemberNames": True}},
            "sysctls": {
                "fs.inotify.max_user_watches": "524288",
                "fs.inotify.max_user_instances": "8192",
                "vm.nr_hugepages": "1024",
            },
        },
    }
    if variables.get("DOCKERHUB_USER") and variables.get("DOCKERHUB_PASSWORD"):
        login: JsonMap = {
            "username": variables["DOCKERHUB_USER"],
            "password": variables["DOCKERHUB_PASSWORD"],
        }
        as_map(everywhere["machine"])["registries"] = {
            "config": {host: {"auth": login} for host in ("registry-1.docker.io", "docker.io")}
        }
    control_plane: JsonMap = {
        "machine": {
            "features": {
                "kubernetesTalosAPIAccess": {
                    "enabled": True,
                    "allowedRoles": ["os:admin"],
                    "allowedKubernetesNamespaces": ["system-upgrade"],
                }
            }
        },
        "cluster": {
            "controllerManager": {"extraArgs": {"bind-address": "0.0.0.0"}},  # noqa: S104  metrics
            "etcd": {"extraArgs": {"listen-metrics-urls": "http://0.0.0.0:2381"}},
            "scheduler": {"extraArgs": {"bind-address": "0.0.0.0"}},  # noqa: S104  metrics
        },
    }
    worker: JsonMap = {"machine": {"time": {"servers": ["time.cloudflare.com"]}}}
    for name, patch in (("all", everywhere), ("controlplane", control_plane), ("worker", worker)):
        (folder / f"{name}.yaml").write_text(dump_documents([patch]))


def _bind_mount(path: str) -> JsonMap:
    return {
        "destination": path,
        "type": "bind",
        "source": path,
        "options": ["bind", "rshared", "rw"],
    }


def _matching_files(root: Path, rules: Path) -> Iterator[Path]:
    creation_rules = as_list(as_map(load_document(rules.read_text())).get("creation_rules"))
    patterns = [re.compile(as_text(as_map(rule).get("path_regex"))) for rule in creation_rules]
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            path = Path(folder) / name
            if any(pattern.search(path.as_posix()) for pattern in patterns):
                yield path


def _is_encrypted(path: Path) -> bool:
    text = path.read_text()
    if path.suffix not in {".yaml", ".yml", ".json"} or "sops" not in text:
        return False
    try:
        return "sops" in as_map(load_document(text))
    except YamlError:
        return False


def _run_sops(path: Path) -> str:
    tool = os.environ.get(SOPS_VARIABLE) or shutil.which("sops")
    tool = tool or str(Path(sys.executable).parent / "sops")
    # The real tool sets this for itself, whatever the caller's environment says.
    environment = {**os.environ, "SOPS_AGE_KEY_FILE": "age.agekey"}
    done = subprocess.run(
        [tool, "--decrypt", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        # ClusterTool links SOPS as a library, which says less than the program does.
        lacks_key = "Failed to get the data key" in done.stderr
        raise ClusterFilesError(path, _NO_KEY if lacks_key else done.stderr.strip())
    return done.stdout


def _is_in_range(address: str, pool: str) -> bool | None:
    low, _, high = pool.partition("-")
    try:
        value = int(ipaddress.ip_address(address))
        return int(ipaddress.ip_address(low)) <= value <= int(ipaddress.ip_address(high or low))
    except ValueError:
        return None


def _find_overlap(variables: Mapping[str, str], vip: str, master: str, gateway: str) -> str:
    low, _, high = variables["METALLB_RANGE"].partition("-")
    for net in ("PODNET", "SVCNET"):
        network = ipaddress.ip_network(variables[net], strict=False)
        for name, address in (
            ("VIP", vip),
            ("MASTER1IP", master),
            ("GATEWAY", gateway),
            ("METALLB_RANGE", low),
            ("METALLB_RANGE", high or low),
        ):
            if ipaddress.ip_address(address) in network:
                return f"Cannot proceed, {name} cannot be in {net}"
    return ""
