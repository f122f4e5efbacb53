"""An image of what this machine has: one program and the libraries that it needs."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["COMMAND", "ImageError", "pack_image"]

# A container only holds an address: its process has nothing to do but to be there.
COMMAND = ["/sleep", "3600"]
_LIBRARY = re.compile(r"(/\S+) \(0x")


class ImageError(Exception):
    """This machine lacks what the image is made of."""


def pack_image() -> bytes:
    """Pack a root file system, a tar archive, for `docker import`.

    Raises:
        ImageError: there is no `sleep`.
    """
    program = shutil.which("sleep")
    if program is None:
        raise ImageError("no `sleep` on PATH to make an image of")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as packed:
        _add(packed, Path(program), COMMAND[0])
        for library in _list_libraries(program):
            _add(packed, library, str(library))
    return archive.getvalue()


def _list_libraries(program: str) -> Iterator[Path]:
    """List the shared objects of a program, its loader among them; none of a static one."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    yield from map(Path, _LIBRARY.findall(said.stdout))


def _add(packed: tarfile.TarFile, source: Path, name: str) -> None:
    packed.add(source.resolve(), name.lstrip("/"))
