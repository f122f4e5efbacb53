"""`etcd ...`: members, status, alarms, snapshots, and the few changes."""

from __future__ import annotations

import os
from pathlib import Path

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn_partly, write
from lab.standins.talosctl.commands.streams import read_stream
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.proto import Message, child, children, flag, number, text, texts
from lab.standins.talosctl.text import format_bytes, format_table, quote

__all__ = [
    "defragment",
    "disarm_alarms",
    "forfeit_leadership",
    "leave",
    "list_alarms",
    "list_members",
    "remove_member",
    "save_snapshot",
    "show_status",
]

_ALARMS = ("NONE", "NOSPACE", "CORRUPT")
# etcd appends the SHA-256 of a snapshot, whose own size is a multiple of 512.
_BLOCK, _CHECKSUM = 512, 32


def list_members(call: Call) -> None:
    """`etcd members`."""
    client = call.open()
    messages = _ask(client, "EtcdMemberList", "error getting members", {"query_local": True})
    rows = [
        [
            f"{number(member, 'id'):016x}",
            text(member, "hostname"),
            ",".join(texts(member, "peer_urls")),
            ",".join(texts(member, "client_urls")),
            str(flag(member, "is_learner")).lower(),
            _node(message),
        ]
        for message in messages
        for member in children(message, "members")
    ]
    _write(rows, ["ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER"])


def show_status(call: Call) -> None:
    """`etcd status`."""
    client = call.open()
    messages = _ask(client, "EtcdStatus", "error getting status")
    rows = [[*_status_row(child(message, "member_status")), _node(message)] for message in messages]
    _write(
        rows,
        [
            "MEMBER",
            "DB SIZE",
            "IN USE",
            "LEADER",
            "RAFT INDEX",
            "RAFT TERM",
            "RAFT APPLIED INDEX",
            "LEARNER",
            "PROTOCOL",
            "STORAGE",
            "ERRORS",
        ],
    )


def list_alarms(call: Call) -> None:
    """`etcd alarm list`."""
    _show_alarms(_ask(call.open(), "EtcdAlarmList", "error getting alarms"))


def disarm_alarms(call: Call) -> None:
    """`etcd alarm disarm`."""
    _show_alarms(_ask(call.open(), "EtcdAlarmDisarm", "error disarming alarms"))


def save_snapshot(call: Call) -> None:
    """`etcd snapshot PATH`: whole or not at all."""
    from lab.snapshots import DamagedError, read_status  # noqa: PLC0415  only snapshots need it

    client = call.open()
    call.refuse_many(client, "etcd snapshot")
    target = Path(call.words[0])
    part = Path(f"{target}.part")
    try:
        data = read_stream(client, "EtcdSnapshot", {})
        part.touch(mode=0o600)
        part.write_bytes(data)
        if len(data) % _BLOCK != _CHECKSUM:
            raise CommandError(f"sha256 checksum not found (size {len(data)})")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    write(f"etcd snapshot saved to {quote(os.fspath(target))} ({len(data)} bytes)\n")
    try:
        write(f"snapshot info: {read_status(data).describe()}\n")
    except DamagedError as error:
        raise CommandError(f"{error}") from error


def remove_member(call: Call) -> None:
    """`etcd remove-member HEXID`."""
    client = call.open()
    try:
        member = int(call.words[0], 16)
    except ValueError as error:
        raise CommandError(
            "error parsing member ID: error parsing etcd member id: strconv.ParseUint: parsing "
            f"{quote(call.words[0])}: invalid syntax"
        ) from error
    client.call("EtcdRemoveMemberByID", {"member_id": member})


def leave(call: Call) -> None:
    """`etcd leave`."""
    client = call.open()
    call.refuse_many(client, "etcd leave")
    client.call("EtcdLeaveCluster")


def forfeit_leadership(call: Call) -> None:
    """`etcd forfeit-leadership`."""
    call.open().call("EtcdForfeitLeadership")


def defragment(call: Call) -> None:
    """`etcd defrag`."""
    client = call.open()
    call.refuse_many(client, "etcd defrag")
    client.call("EtcdDefragment")


def _ask(client: Client, method: str, prefix: str, request: Message | None = None) -> list[Message]:
    try:
        messages, problem = client.call(method, request)
    except CommandError as error:
        raise CommandError(f"{prefix}: {error}") from error
    warn_partly(problem)
    return messages


def _node(message: Message) -> str:
    return text(child(message, "metadata"), "hostname")


def _write(rows: list[list[str]], header: list[str]) -> None:
    """Write rows whose last cell is the node, which leads where a node is named."""
    named = any(row[-1] for row in rows)
    table = [["NODE", *header] if named else header]
    table += [[row[-1], *row[:-1]] if named else row[:-1] for row in rows]
    if rows:
        write(format_table(table))


def _status_row(status: Message) -> list[str]:
    size, used = number(status, "db_size"), number(status, "db_size_in_use")
    ratio = used / size * 100 if size else 0.0
    return [
        f"{number(status, 'member_id'):016x}",
        format_bytes(size),
        f"{format_bytes(used)} ({ratio:.2f}%)",
        f"{number(status, 'leader'):016x}",
        str(number(status, "raft_index")),
        str(number(status, "raft_term")),
        str(number(status, "raft_applied_index")),
        str(flag(status, "is_learner")).lower(),
        text(status, "protocol_version"),
        text(status, "storage_version"),
        ", ".join(texts(status, "errors")),
    ]


def _show_alarms(messages: list[Message]) -> None:
    rows = [
        [f"{number(alarm, 'member_id'):016x}", _ALARMS[number(alarm, "alarm")], _node(message)]
        for message in messages
        for alarm in children(message, "member_alarms")
    ]
    _write(rows, ["MEMBER", "ALARM"])
