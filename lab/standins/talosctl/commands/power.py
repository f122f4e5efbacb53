"""`reboot`, `reset`, `shutdown`, `rollback`, followed to their end where `--wait` says so.

The tracker follows `cmd/talosctl/pkg/talos/action`: events, then for a reboot a boot id that
changed; each state is a line on standard error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn
from lab.standins.talosctl.commands.drain import drain_nodes, uncordon_nodes
from lab.standins.talosctl.commands.streams import read_stream
from lab.standins.talosctl.commands.version import check_client_version
from lab.standins.talosctl.failure import CommandError, RpcError, SilentError
from lab.standins.talosctl.flags import parse_duration_s
from lab.standins.talosctl.messages import EVENT_PAYLOADS
from lab.standins.talosctl.proto import Message, child, children, decode, flag, number, octets, text
from lab.standins.talosctl.text import quote

__all__ = [
    "REBOOT_MODES",
    "drained",
    "reboot",
    "reboot_nodes",
    "reset",
    "rollback",
    "shutdown",
    "upgrade_legacy",
]

REBOOT_MODES = {"default": 0, "powercycle": 1, "force": 2}
_WIPE_MODES = {"all": 0, "system-disk": 1, "user-disks": 2}
_ERROR_CODES = ("FATAL", "LOCKED", "CANCELED")
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_RUNNING = 4
_STAGES = (
    "UNKNOWN",
    "BOOTING",
    "INSTALLING",
    "MAINTENANCE",
    "RUNNING",
    "REBOOTING",
    "SHUTTING_DOWN",
    "RESETTING",
    "UPGRADING",
)
_RETRIED = frozenset({"Unavailable", "Canceled"})
# go-retry's default between attempts.
_PAUSE_S = 1.0


class _Action(NamedTuple):
    """What to ask of a node, and how to see that it is done."""

    method: str
    request: Message
    is_done: Callable[[str, Message], bool]
    checks_boot: bool
    may_be_maintenance: bool = False


def reboot(call: Call) -> None:
    """`reboot [-m MODE] [--wait]`."""
    if not call.parsed.is_set("drain"):
        reboot_nodes(call, call.parsed.text("mode"))
        return
    with drained(call, call.open()):
        reboot_nodes(call, call.parsed.text("mode"))


@contextmanager
def drained(call: Call, client: Client) -> Iterator[None]:
    """Drain the call's nodes first; uncordon them afterwards, also when what is inside failed."""
    names = drain_nodes(client, parse_duration_s(call.parsed.text("drain-timeout")))
    failed: CommandError | None = None
    try:
        yield
    except CommandError as error:
        failed = error
    try:
        uncordon_nodes(client.again(), names, parse_duration_s(call.parsed.text("timeout")))
    except CommandError as error:
        # The tracker has begun to report, and from then on the real one prints no error.
        raise SilentError from error
    if failed is not None:
        raise failed


def reboot_nodes(call: Call, mode: str) -> None:
    """Reboot the call's nodes, with the flags of its tracker."""
    request: Message = {"mode": REBOOT_MODES[mode]}
    _run(call, _Action("Reboot", request, _is_ready, checks_boot=True))


def upgrade_legacy(call: Call, request: Message) -> None:
    """Upgrade the call's nodes by the legacy method, followed to its end."""
    _run(call, _Action("Upgrade", request, _is_ready, checks_boot=True))


def shutdown(call: Call) -> None:
    """`shutdown [--force] [--wait]`."""
    request: Message = {"force": call.parsed.is_set("force")}
    _run(call, _Action("Shutdown", request, _stops_services, checks_boot=False))


def reset(call: Call) -> None:
    """`reset [--graceful] [--reboot] [--wipe-mode M] [--system-labels-to-wipe L]`."""
    parsed = call.parsed
    if parsed.is_set("wait") and parsed.is_set("insecure"):
        raise CommandError("cannot use --wait and --insecure together")
    labels = parsed.texts("system-labels-to-wipe")
    request: Message = {
        "graceful": parsed.is_set("graceful"),
        "reboot": parsed.is_set("reboot"),
        "mode": _WIPE_MODES[parsed.text("wipe-mode")],
        "user_disks_to_wipe": [*parsed.texts("user-disks-to-wipe")],
        "system_partitions_to_wipe": [{"label": item, "wipe": True} for item in labels],
    }
    reboots = parsed.is_set("reboot")
    action = _Action("Reset", request, _stops_services, reboots, may_be_maintenance=reboots)
    _run(call, action)


def rollback(call: Call) -> None:
    """`rollback`, which returns at once."""
    try:
        call.open().call("Rollback")
    except CommandError as error:
        raise CommandError(f"error executing rollback: {error}") from error


def _run(call: Call, action: _Action) -> None:
    client = call.open()
    check_client_version(client)
    if not any(call.parsed.has(name) for name in ("wait", "debug", "drain")):
        try:
            client.call(action.method, action.request)
        except CommandError as error:
            raise CommandError(f"error executing {action.method.lower()}: {error}") from error
        return
    deadline = time.monotonic() + parse_duration_s(call.parsed.text("timeout"))
    failed = False
    for node in client.nodes:
        try:
            _Tracker(call, client.again(), node, deadline).run(action)
        except CommandError as error:
            warn(f'"{node}": {error}')
            failed = True
    if failed:
        raise SilentError


class _AgainError(Exception):
    """The tracker opens the events again, for this reason."""


class _Tracker:
    """Follows one node."""

    def __init__(self, call: Call, client: Client, node: str, deadline: float) -> None:
        self._call, self._client, self._node = call, client, node
        self._deadline = deadline
        self._tail, self._actor = 0, ""

    def run(self, action: _Action) -> None:
        """Act once, wait for the event that ends it, check the boot id.

        The event stream is opened before the action, so that nothing is missed.
        """
        before = self._read_boot_id() if action.checks_boot else ""
        events: Iterator[Message] | None = self._open_events()
        self._say("waiting for actor ID")
        reply = next(self._client.stream(action.method, action.request, node=self._node), {})
        messages = children(reply, "messages")
        self._actor = text(messages[0], "actor_id") if messages else ""
        self._say(f"actor ID: {self._actor}")
        while not self._follow(events, action):
            self._wait()
            events = None
        self._say("events check condition met")
        if action.checks_boot:
            while not self._has_rebooted(before, action):
                self._wait()
            self._say("post check passed")

    def _open_events(self) -> Iterator[Message]:
        request: Message = {"tail_events": self._tail}
        events = self._client.again().stream("Events", request, node=self._node)
        next(events, None)  # The hello, which is empty.
        return events

    def _follow(self, events: Iterator[Message] | None, action: _Action) -> bool:
        try:
            for event in events or self._open_events():
                data = child(event, "data")
                kind = text(data, "type_url").rpartition("/")[2]
                if kind not in EVENT_PAYLOADS:
                    continue
                payload = decode(octets(data, "value"), EVENT_PAYLOADS[kind])
                if action.is_done(kind, payload):
                    return True
                if text(event, "actor_id") == self._actor:
                    self._report(kind, payload)
        except _AgainError as reason:
            self._say(f"error: {reason}")
            return False
        except RpcError as error:
            if error.code not in _RETRIED:
                raise
        self._say("unavailable, retrying...")
        # From the beginning and of any actor: after a boot nobody is behind what happens.
        self._tail, self._actor = -1, ""
        return False

    def _report(self, kind: str, payload: Message) -> None:
        if kind == "machine.SequenceEvent":
            problem = text(child(payload, "error"), "message")
            action = ("NOOP", "START", "STOP")[number(payload, "action")]
            told = ""
            if problem:  # talosctl itself takes the one for the other
                code = _ERROR_CODES[number(child(payload, "error"), "code")]
                told = f" error: [code: {problem} message: {code}]"
            self._say(f"sequence: {text(payload, 'sequence')} action: {action}{told}")
            if text(payload, "sequence") == "reboot":
                raise _AgainError("reboot sequence completed")
            if problem:
                raise CommandError(f"sequence error: {problem}")
        elif kind == "machine.MachineStatusEvent":
            status = child(payload, "status")
            stage = _STAGES[number(payload, "stage")]
            ready = str(flag(status, "ready")).lower()
            unmet = " ".join(
                f"name:{quote(text(item, 'name'))}  reason:{quote(text(item, 'reason'))}"
                for item in children(status, "unmet_conditions")
            )
            self._say(f"stage: {stage} ready: {ready} unmetCond: [{unmet}]")
        elif kind in {"machine.PhaseEvent", "machine.TaskEvent"}:
            word = "phase" if kind == "machine.PhaseEvent" else "task"
            action = ("START", "STOP")[number(payload, "action")]
            self._say(f"{word}: {text(payload, word)} action: {action}")
            if text(payload, "task") == "stopAllServices":
                raise _AgainError("stopAllServices task completed")
        else:
            healthy = str(flag(child(payload, "health"), "healthy")).lower()
            self._say(
                f"service: {text(payload, 'service')} message: {text(payload, 'message')} "
                f"healthy: {healthy}"
            )

    def _has_rebooted(self, before: str, action: _Action) -> bool:
        if action.may_be_maintenance:
            try:
                self._call.open_maintenance().call("Disks")
            except CommandError:
                pass
            else:
                return True
        try:
            return self._read_boot_id() != before
        except CommandError:
            self._client.reset()
            self._say("unavailable, retrying...")
            return False

    def _read_boot_id(self) -> str:
        client = self._client.again()
        client.nodes = (self._node,)
        return read_stream(client, "Read", {"path": _BOOT_ID}).decode().strip()

    def _wait(self) -> None:
        if time.monotonic() > self._deadline:
            raise CommandError("context deadline exceeded")
        time.sleep(_PAUSE_S)

    def _say(self, message: str) -> None:
        warn(f'"{self._node}": {message}')


def _is_ready(kind: str, payload: Message) -> bool:
    is_status = kind == "machine.MachineStatusEvent"
    return (
        is_status
        and number(payload, "stage") == _RUNNING
        and flag(child(payload, "status"), "ready")
    )


def _stops_services(kind: str, payload: Message) -> bool:
    return kind == "machine.TaskEvent" and text(payload, "task") == "stopAllServices"
