"""Put launchers of the stand-ins into a folder that goes in front of PATH."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

__all__ = ["STANDINS", "install_standins", "is_standin"]

_MARKER = "# talos-lifecycle lab stand-in"
# Tool to the module whose `main()` it is.
STANDINS = {
    "talosctl": "lab.standins.talosctl.command",
    "clustertool": "lab.standins.clustertool",
    "flux": "lab.standins.flux",
}


def install_standins(folder: Path, missing: Iterable[str]) -> None:
    """Write an executable launcher for each tool that is missing.

    Args:
        folder: Where to; made when it is not there.
        missing: Names of tools; those without a stand-in are passed over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(set(missing) & set(STANDINS)):
        launcher = folder / name
        launcher.write_text(_write_launcher(STANDINS[name]))
        launcher.chmod(0o755)


def is_standin(path: Path) -> bool:
    """Tell a stand-in's launcher from a real tool."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return _MARKER.encode() in head


def _write_launcher(module: str) -> str:
    # A first line holds one argument and no spaces in the path, so a shell finds the interpreter
    # when that would break. The folder of this package comes first on the path, so that the
    # launcher also works where the project is not installed. `site` would look through every
    # .pth file at each start, a tenth of a call's time: its folders are written down instead.
    root = str(Path(__file__).resolve().parents[2])
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    interpreter = sys.executable
    first = f"#!{interpreter} -IS"
    if " " in interpreter or len(first) > 120:  # noqa: PLR2004  Linux keeps at least 127 bytes
        first = f"#!/bin/sh\n''''exec '{interpreter}' -IS \"$0\" \"$@\" # '''"
    return (
        f"{first}\n{_MARKER}\n"
        f"import sys\n\nsys.path[:0] = [{root!r}]\n"
        f"sys.path += {[*dict.fromkeys(folders)]!r}\n"
        f"from {module} import main\n\nraise SystemExit(main())\n"
    )
