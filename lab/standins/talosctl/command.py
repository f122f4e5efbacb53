"""The command line: which command, its flags, its exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lab.standins.talosctl.client import Client, Target, open_client, open_maintenance
from lab.standins.talosctl.failure import CommandError, SilentError
from lab.standins.talosctl.flags import Flag, FlagSet, Parsed, find_command, parse
from lab.standins.talosctl.registry import ALIASES, COMMANDS, GLOBAL_FLAGS, GROUPS, Command

__all__ = ["Call", "main"]


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
        return self.open_secure()

    def open_secure(self) -> Client:
        """A client with the certificates of the talosconfig."""
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; answers the exit code (0 or 1, as the real one)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        # A process of its own ends on both signals alike; a test does not want that.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    usage = "talosctl [command]"
    try:
        called, rest = _find(arguments)
        name = ALIASES.get(called, called)
        definition = COMMANDS[name]
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
        if name in COMMANDS or name in ALIASES:
            return name, rest
        if name not in GROUPS:
            raise CommandError(f'unknown command "{name}" for "talosctl"')


def _parse(definition: Command, rest: list[str]) -> Parsed:
    # A command's own flag takes the letter from a global one (`validate -c`).
    own = {item.short for item in definition.flags if item.short}
    shared = [
        Flag(item.name, item.kind, "" if item.short in own else item.short) for item in GLOBAL_FLAGS
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


def _run(definition: Command, call: Call) -> None:
    from importlib import import_module  # noqa: PLC0415  each command loads only what it needs

    module = import_module(f"lab.standins.talosctl.commands.{definition.module}")
    function: Callable[[Call], None] = getattr(module, definition.function)
    function(call)
    sys.stdout.flush()
