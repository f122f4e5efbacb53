"""What all tests share: a real helm, and property tests that do not time themselves."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from hypothesis import settings

from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.errors import LifecycleError

# No test asserts a time, and CI tries the same examples every time.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")


def pytest_configure() -> None:
    """Put helm behind everything else on PATH; without one, the tests that need it skip."""
    if shutil.which("helm"):
        return
    with suppress(LifecycleError):
        folders = [str(folder) for folder in find_lab_tools() if (folder / "helm").is_file()]
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *folders])
