"""`dmesg`, `list` and `read`, and reading any stream of data to its end."""

from __future__ import annotations

import os
import sys

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import write
from lab.standins.talosctl.failure import CommandError, RpcError
from lab.standins.talosctl.proto import Message, child, octets, text
from lab.standins.talosctl.text import format_table

__all__ = ["copy_file", "list_folder", "read_file", "read_stream", "show_dmesg"]


def show_dmesg(call: Call) -> None:
    """`dmesg [-f] [--tail]`."""
    client = call.open()
    request: Message = {
        "follow": call.parsed.is_set("follow"),
        "tail": call.parsed.is_set("tail"),
    }
    try:
        stream = client.stream("Dmesg", request)
    except RpcError as error:
        raise CommandError(f"error getting dmesg: {error}") from error
    try:
        for message in stream:
            node = client.node_of(message)
            write(f"{node}: {octets(message, 'bytes').decode('utf-8', 'replace')}")
            sys.stdout.flush()
    except RpcError as error:
        if error.code != "Canceled":
            raise CommandError(f"error streaming results: {error}") from error


def list_folder(call: Call) -> None:
    """`list [PATH]`: what is in a folder, the folder itself as `.` first."""
    client = call.open()
    rows = [["NODE", "NAME"]]
    problems: list[str] = []
    request: Message = {"root": call.words[0] if call.words else "/", "recursion_depth": 1}
    try:
        for message in client.stream("FolderList", request):
            problem = text(child(message, "metadata"), "error")
            if problem:
                problems.append(problem)
            else:
                rows.append([client.node_of(message), text(message, "relative_name")])
    except RpcError as error:
        # Talos 1.13 says so; its command was made from the one for logs.
        raise CommandError(f"error fetching logs: {error}") from error
    write(format_table(rows))
    if problems:
        head = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        raise CommandError("\n ".join((f"{head} occurred:", *problems)))


def read_file(call: Call) -> None:
    """`read PATH`: a file of one node, to standard output."""
    client = call.open()
    call.refuse_many(client, "read")
    sys.stdout.buffer.write(read_stream(client, "Read", {"path": call.words[0]}))


def copy_file(call: Call) -> None:
    """`copy PATH -|FOLDER`: a file of one node, as an archive or unpacked into a folder."""
    import tarfile  # noqa: PLC0415  slow to import, and only this needs it
    from io import BytesIO  # noqa: PLC0415  same

    client = call.open()
    call.refuse_many(client, "copy")
    stream = client.stream("Copy", {"root_path": call.words[0]})
    archive, problem = bytearray(), ""
    for message in stream:
        archive += octets(message, "bytes")
        problem = text(child(message, "metadata"), "error") or problem
    if problem:
        raise CommandError(problem)
    if call.words[1] == "-":
        sys.stdout.buffer.write(archive)
        return
    os.makedirs(call.words[1], exist_ok=True)  # noqa: PTH103  pathlib is slow to import
    with tarfile.open(fileobj=BytesIO(bytes(archive))) as packed:
        packed.extractall(call.words[1], filter="data")


def read_stream(
    client: Client,
    method: str,
    request: Message,
    *,
    opening: str = "error reading file",
    reading: str = "error reading",
) -> bytes:
    """Collect a stream of data.

    Args:
        client: Whom to ask.
        method: Key of `METHODS`.
        request: What to ask.
        opening: Prefix of an error when the connection cannot be made.
        reading: Prefix of any later error.
    """
    try:
        stream = client.stream(method, request)
    except RpcError as error:
        raise CommandError(f"{opening}: {error}") from error
    collected = bytearray()
    try:
        for message in stream:
            collected += octets(message, "bytes")
            problem = text(child(message, "metadata"), "error")
            if problem:
                raise CommandError(f"{reading}: {problem}")
    except RpcError as error:
        if error.code in {"Canceled", "DeadlineExceeded"}:
            return bytes(collected)
        raise CommandError(f"{reading}: {error}") from error
    return bytes(collected)
