"""What talosctl prints only as a table for people: a service's state, the names in a folder."""

from __future__ import annotations

import re

__all__ = ["parse_folder", "parse_service_state"]

_FOLDER_HEADER = re.compile(r"^NODE +NAME$")


def parse_service_state(stdout: str) -> str:
    """Parse the state in what `talosctl service NAME` prints for one node.

    Raises:
        ValueError: There is none in it.
    """
    found = re.search(r"^STATE +(\w+) *$", stdout, re.MULTILINE)
    if not found:
        message = "talosctl service has no state"
        raise ValueError(message)
    return found[1]


def parse_folder(stdout: str) -> tuple[str, ...]:
    """Parse what `talosctl list PATH` prints for one node: a table, or after 1.13 bare names.

    Raises:
        ValueError: The folder itself is not in it: an answer that was cut off, not an empty one.
    """
    lines = stdout.splitlines()
    if lines and _FOLDER_HEADER.match(lines[0]):
        names = [line.split(maxsplit=1)[-1] for line in lines[1:]]
    else:
        names = lines
    if "." not in names:
        message = "talosctl list has no answer"
        raise ValueError(message)
    return tuple(name for name in names if name != ".")
