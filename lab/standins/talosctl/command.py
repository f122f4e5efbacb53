"""The command line: which command, its flags, its exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lab.standins.talosctl.client import Client, Target, open_client, open_maintenance
from lab.standins.talosctl.failure import CommandError, SilentError
from lab.standins.talosctl.flags import Flag, FlagSet, Parsed, find_command, parse

__all__ = ["Call", "main"]

_GLOBAL = (
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


class Call(NamedTuple):
    """One command line, ready to run."""

    name: str
    parsed: Parsed

    @property
    def words(self) -> list[str]:
        """The positional arguments."""
        return self.parsed.words

    def open(self) -> Client:
        """A client: the maintenance one when `--insecure` says so."""
        if "insecure" in self.parsed.flags.by_name and self.parsed.is_set("insecure"):
            return self.open_maintenance()
        return open_client(self.target)

    def open_maintenance(self) -> Client:
        """A client without certificates."""
        has_fingerprints = "cert-fingerprint" in self.parsed.flags.by_name
        given = self.parsed.texts("cert-fingerprint") if has_fingerprints else []
        return open_maintenance(self.target, tuple(given))

    def refuse_many(self, client: Client, what: str) -> None:
        """Refuse more than one node."""
        if len(client.nodes) > 1:
            raise CommandError(f'command "{what}" is not supported with multiple nodes')

    @property
    def target(self) -> Target:
        """The global flags."""
        return Target(
            self.parsed.text("talosconfig"),
            self.parsed.text("context"),
            self.parsed.text("cluster"),
            tuple(self.parsed.texts("nodes")),
            tuple(self.parsed.texts("endpoints")),
        )


class _Command(NamedTuple):
    """A command: the module and function that run it, its flags, how many arguments it takes."""

    module: str
    function: str
    flags: tuple[Flag, ...] = ()
    least: int = 0
    most: int = 0
    is_local: bool = False


_ETCD = {
    "members": _Command("etcd", "list_members"),
    "status": _Command("etcd", "show_status"),
    "snapshot": _Command("etcd", "save_snapshot", least=1, most=1),
    "remove-member": _Command("etcd", "remove_member", least=1, most=1),
    "leave": _Command("etcd", "leave"),
    "forfeit-leadership": _Command("etcd", "forfeit_leadership"),
    "defrag": _Command("etcd", "defragment"),
    "alarm list": _Command("etcd", "list_alarms"),
    "alarm disarm": _Command("etcd", "disarm_alarms"),
}
_LOCAL = {
    "gen secrets": _Command(
        "local",
        "generate_secrets",
        (
            Flag("output-file", short="o", default="secrets.yaml"),
            Flag("talos-version"),
            Flag("force", "bool", "f"),
        ),
        is_local=True,
    ),
    "validate": _Command(
        "local",
        "validate",
        (Flag("config", short="c"), Flag("mode", short="m"), Flag("strict", "bool")),
        is_local=True,
    ),
    "config info": _Command("config", "show_info", (Flag("output", short="o", default="text"),)),
    "config contexts": _Command("config", "list_contexts"),
    "config endpoint": _Command("config", "set_endpoints", least=1, most=99),
    "config node": _Command("config", "set_nodes", most=99),
    "config context": _Command("config", "choose_context", least=1, most=1),
}
_COMMANDS: Mapping[str, _Command] = {
    "version": _Command(
        "version",
        "show_version",
        (_INSECURE, Flag("client", "bool"), Flag("short", "bool"), Flag("json", "bool")),
    ),
    "apply-config": _Command(
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
    "bootstrap": _Command(
        "machine", "bootstrap", (Flag("recover-from"), Flag("recover-skip-hash-check", "bool"))
    ),
    "get": _Command(
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
    "service": _Command("service", "service", most=2),
    "kubeconfig": _Command(
        "kubeconfig",
        "download",
        (
            Flag("force", "bool", "f"),
            Flag("force-context-name"),
            Flag("merge", "bool", "m", default="true"),
        ),
        most=1,
    ),
    "health": _Command(
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
    "reboot": _Command(
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
    "reset": _Command(
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
    "shutdown": _Command("power", "shutdown", (*_TRACKED, Flag("force", "bool"))),
    "rollback": _Command("power", "rollback"),
    "dmesg": _Command("streams", "show_dmesg", (Flag("follow", "bool", "f"), Flag("tail", "bool"))),
    "read": _Command("streams", "read_file", least=1, most=1),
    "disks": _Command("machine", "refuse_disks", (_INSECURE,), most=9),
    **{f"etcd {name}": item for name, item in _ETCD.items()},
    **_LOCAL,
}
_ALIASES = {
    "apply": "apply-config",
    "services": "service",
    "cat": "read",
    "config endpoints": "config endpoint",
    "config nodes": "config node",
    "config use-context": "config context",
    "config get-contexts": "config contexts",
}
_GROUPS = frozenset({"etcd", "etcd alarm", "gen", "config"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; answers the exit code (0 or 1, as the real one)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        # A process of its own ends on both signals alike; a test does not want that.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    usage = "talosctl [command]"
    try:
        called, rest = _find(arguments)
        name = _ALIASES.get(called, called)
        definition = _COMMANDS[name]
        usage = f"talosctl {name} [flags]"
        parsed = _parse(definition, rest)
        _run(definition, Call(called, parsed))
    except SilentError:
        return 1
    except CommandError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)  # noqa: T201  a command line's own output
        if any(word in str(error) for word in ("arg(s)", "flag", "command")):
            print(f"\nUsage:\n  {usage}\n", file=sys.stderr)  # noqa: T201  same
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        from lab.standins.talosctl.commands.console import SIGNAL_NOTICE, warn  # noqa: PLC0415

        warn(SIGNAL_NOTICE)
        return 1
    return 0


def _find(arguments: list[str]) -> tuple[str, list[str]]:
    rest, name = list(arguments), ""
    while True:
        position = find_command(rest)
        if position < 0:
            raise CommandError(f'unknown command "{name}" for "talosctl"')
        name = f"{name} {rest.pop(position)}".strip()
        if name in _COMMANDS or name in _ALIASES:
            return name, rest
        if name not in _GROUPS:
            raise CommandError(f'unknown command "{name}" for "talosctl"')


def _parse(definition: _Command, rest: list[str]) -> Parsed:
    # A command's own flag takes the letter from a global one (`validate -c`).
    own = {item.short for item in definition.flags if item.short}
    shared = [
        Flag(item.name, item.kind, "" if item.short in own else item.short) for item in _GLOBAL
    ]
    flags = FlagSet((*definition.flags, *([] if definition.is_local else shared)))
    parsed = parse(flags, rest)
    count = len(parsed.words)
    if count > definition.most and definition.most == 0:
        raise CommandError(f'unknown command "{parsed.words[0]}" for "talosctl"')
    if definition.least == definition.most and count != definition.least:
        raise CommandError(f"accepts {definition.least} arg(s), received {count}")
    if count > definition.most and definition.least == 0:
        raise CommandError(f"accepts at most {definition.most} arg(s), received {count}")
    if not definition.least <= count <= definition.most:
        raise CommandError(
            f"accepts between {definition.least} and {definition.most} arg(s), received {count}"
        )
    return parsed


def _run(definition: _Command, call: Call) -> None:
    from importlib import import_module  # noqa: PLC0415  each command loads only what it needs

    module = import_module(f"lab.standins.talosctl.commands.{definition.module}")
    function: Callable[[Call], None] = getattr(module, definition.function)
    function(call)
    sys.stdout.flush()
