"""What source-controller packs of a checkout: files that no pattern leaves out, and no links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inventory.sourceignore import IGNORE_FILE, IgnorePattern, IgnoreRules, read_patterns

__all__ = ["pack"]


def pack(folder: Path, ignore: str) -> None:
    """Remove what the artifact of a checkout would not hold; `ignore` is `spec.ignore`."""
    rules = IgnoreRules.of([*_read_files(folder), *read_patterns(ignore)])
    for root, folders, names in os.walk(folder, topdown=False):
        here = Path(root)
        below = here.relative_to(folder)
        if ".git" in below.parts[:1]:
            continue  # removed as a whole
        for path in (here / name for name in (*names, *folders)):
            place = path.relative_to(folder).as_posix()
            if path.is_symlink() or (path.is_file() and rules.find(place, is_folder=False)):
                path.unlink()
        # A folder that is left out comes back with whatever is packed of it.
        is_left_out = rules.find(below.as_posix(), is_folder=True) if below.parts else None
        if is_left_out and not any(here.iterdir()):
            here.rmdir()


def _read_files(folder: Path) -> Iterator[IgnorePattern]:
    """Read every `.sourceignore`, those of a folder before those below it."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        if IGNORE_FILE in names:
            domain = Path(root).relative_to(folder).parts
            text = Path(root, IGNORE_FILE).read_text(encoding="utf-8", errors="replace")
            yield from read_patterns(text, domain)
