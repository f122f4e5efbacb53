"""What all tests share: a real helm on PATH, from its wheel where the machine has none."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.errors import LifecycleError


def pytest_configure() -> None:
    """Put helm behind everything else on PATH; without one, the tests that need it skip."""
    if shutil.which("helm"):
        return
    with suppress(LifecycleError):
        folders = [str(folder) for folder in find_lab_tools() if (folder / "helm").is_file()]
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *folders])
