"""Which commands there are: where each is written, its flags, how many arguments it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lab.standins.talosctl.flags import Flag

__all__ = ["ALIASES", "COMMANDS", "GLOBAL_FLAGS", "GROUPS", "Command"]

GLOBAL_FLAGS = (
    Flag("cluster", short="c"),
    Flag("context"),
    Flag("endpoints", "slice", "e"),
    Flag("help", "bool", "h"),
    Flag("nodes", "slice", "n"),
    Flag("siderov1-keys-dir"),
    Flag("talosconfig"),
)
_INSECURE = Flag("insecure", "bool", "i")
_FINGERPRINT = Flag("cert-fingerprint", "slice")
_TRACKED = (
    Flag("wait", "bool", default="true"),
    Flag("debug", "bool"),
    Flag("timeout", default="30m"),
)
_MODES = ("auto", "no-reboot", "reboot", "staged", "try")
_REBOOT_MODES = ("default", "powercycle", "force")
_WIPE_MODES = ("all", "system-disk", "user-disks")


class Command(NamedTuple):
    """A command: the module and function that run it, its flags, how many arguments it takes."""

    module: str
    function: str
    flags: tuple[Flag, ...] = ()
    least: int = 0
    most: int = 0
    is_local: bool = False


_ETCD = {
    "members": Command("etcd", "list_members"),
    "status": Command("etcd", "show_status"),
    "snapshot": Command("etcd", "save_snapshot", least=1, most=1),
    "remove-member": Command("etcd", "remove_member", least=1, most=1),
    "leave": Command("etcd", "leave"),
    "forfeit-leadership": Command("etcd", "forfeit_leadership"),
    "defrag": Command("etcd", "defragment"),
    "alarm list": Command("etcd", "list_alarms"),
    "alarm disarm": Command("etcd", "disarm_alarms"),
}
_LOCAL = {
    "gen secrets": Command(
        "local",
        "generate_secrets",
        (
            Flag("output-file", short="o", default="secrets.yaml"),
            Flag("talos-version"),
            Flag("force", "bool", "f"),
        ),
        is_local=True,
    ),
    "validate": Command(
        "local",
        "validate",
        (Flag("config", short="c"), Flag("mode", short="m"), Flag("strict", "bool")),
        is_local=True,
    ),
    "config info": Command("config", "show_info", (Flag("output", short="o", default="text"),)),
    "config contexts": Command("config", "list_contexts"),
    "config endpoint": Command("config", "set_endpoints", least=1, most=99),
    "config node": Command("config", "set_nodes", most=99),
    "config context": Command("config", "choose_context", least=1, most=1),
}
COMMANDS: Mapping[str, Command] = {
    "version": Command(
        "version",
        "show_version",
        (_INSECURE, Flag("client", "bool"), Flag("short", "bool"), Flag("json", "bool")),
    ),
    "apply-config": Command(
        "machine",
        "apply_config",
        (
            _INSECURE,
            _FINGERPRINT,
            Flag("file", short="f"),
            Flag("mode", short="m", default="auto", choices=_MODES),
            Flag("dry-run", "bool"),
            Flag("config-patch", "array", "p"),
            Flag("timeout", default="1m0s"),
        ),
        most=1,
    ),
    "bootstrap": Command(
        "machine", "bootstrap", (Flag("recover-from"), Flag("recover-skip-hash-check", "bool"))
    ),
    "get": Command(
        "get",
        "get_resources",
        (
            _INSECURE,
            Flag("namespace"),
            Flag("output", short="o", default="table"),
            Flag("watch", "bool", "w"),
        ),
        least=1,
        most=2,
    ),
    "service": Command("service", "service", most=2),
    "kubeconfig": Command(
        "kubeconfig",
        "download",
        (
            Flag("force", "bool", "f"),
            Flag("force-context-name"),
            Flag("merge", "bool", "m", default="true"),
        ),
        most=1,
    ),
    "health": Command(
        "machine",
        "check_health",
        (
            Flag("init-node"),
            Flag("control-plane-nodes", "slice"),
            Flag("worker-nodes", "slice"),
            Flag("wait-timeout", default="20m0s"),
            Flag("k8s-endpoint"),
            Flag("server", "bool", default="true"),
            Flag("run-e2e", "bool"),
        ),
    ),
    "reboot": Command(
        "power",
        "reboot",
        (
            *_TRACKED,
            Flag("mode", short="m", default="default", choices=_REBOOT_MODES),
            Flag("drain", "bool"),
            Flag("drain-timeout", default="5m0s"),
            Flag("progress", default="auto"),
        ),
    ),
    "reset": Command(
        "power",
        "reset",
        (
            *_TRACKED,
            Flag("graceful", "bool", default="true"),
            Flag("reboot", "bool"),
            Flag("insecure", "bool"),
            Flag("wipe-mode", default="all", choices=_WIPE_MODES),
            Flag("user-disks-to-wipe", "slice"),
            Flag("system-labels-to-wipe", "slice"),
        ),
    ),
    "shutdown": Command("power", "shutdown", (*_TRACKED, Flag("force", "bool"))),
    "rollback": Command("power", "rollback"),
    "upgrade": Command(
        "upgrade",
        "upgrade",
        (
            *_TRACKED,
            Flag("image", short="i", default="ghcr.io/siderolabs/installer:v1.13.9"),
            Flag("namespace", default="system"),
            Flag("reboot-mode", short="m", default="default", choices=_REBOOT_MODES),
            Flag("progress", default="auto"),
            Flag("no-reboot", "bool"),
            Flag("drain", "bool", default="true"),
            Flag("drain-timeout", default="5m0s"),
            Flag("legacy", "bool"),
            Flag("force", "bool", "f"),
            Flag("insecure", "bool"),
            Flag("preserve", "bool", "p"),
            Flag("stage", "bool", "s"),
        ),
    ),
    "upgrade-k8s": Command(
        "upgrade_k8s",
        "upgrade_kubernetes",
        (
            Flag("to", default="1.36.3"),
            Flag("from"),
            Flag("endpoint"),
            Flag("dry-run", "bool"),
            Flag("pre-pull-images", "bool", default="true"),
            Flag("upgrade-kubelet", "bool", default="true"),
            Flag("with-docs", "bool", default="true"),
            Flag("with-examples", "bool", default="true"),
            Flag("manifests-no-prune", "bool"),
            Flag("manifests-reconcile-timeout", default="5m0s"),
        ),
    ),
    "meta write": Command("meta", "write_key", (_INSECURE,), least=2, most=2),
    "meta delete": Command("meta", "delete_key", (_INSECURE,), least=1, most=1),
    "dmesg": Command("streams", "show_dmesg", (Flag("follow", "bool", "f"), Flag("tail", "bool"))),
    "list": Command("streams", "list_folder", most=1),
    "copy": Command("streams", "copy_file", least=2, most=2),
    "read": Command("streams", "read_file", least=1, most=1),
    "disks": Command("machine", "refuse_disks", (_INSECURE,), most=9),
    **{f"etcd {name}": item for name, item in _ETCD.items()},
    **_LOCAL,
}
ALIASES = {
    "apply": "apply-config",
    "services": "service",
    "cat": "read",
    "cp": "copy",
    "ls": "list",
    "config endpoints": "config endpoint",
    "config nodes": "config node",
    "config use-context": "config context",
    "config get-contexts": "config contexts",
}
GROUPS = frozenset({"etcd", "etcd alarm", "gen", "config", "meta"})
