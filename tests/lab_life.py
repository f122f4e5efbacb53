"""What tests share that live with a lab: asking it what happened."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from lifecycle.cli.lab import find_lab_folder
from lifecycle.store import ClusterState

__all__ = ["read_acts"]


def read_acts(state: ClusterState) -> Mapping[str, int]:
    """Ask a standing lab how often each act happened."""
    control = json.loads((find_lab_folder(state) / "lab.json").read_text())["control"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(control)
        connection.sendall(b'{"do": "ledger"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            acts: dict[str, int] = json.loads(answers.readline())["acts"]
    return acts
