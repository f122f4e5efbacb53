"""Decrypt a folder's files in memory, as far as a key and sops are at hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inventory import Finding, Position
from inventory.rules import make_finding
from inventory.tree import Tree
from inventory.variables import is_sops_document
from lifecycle.cli.age_keys import find_age_key
from lifecycle.secrets import Redactor, Secret

if TYPE_CHECKING:
    from lifecycle.drivers.sops import Decrypted, SopsError

__all__ = ["Decryption", "decrypt_folder"]


@dataclass(frozen=True, slots=True)
class Decryption:
    """Texts by repository path, what could not be decrypted, and how it went in a few words."""

    overlay: Mapping[str, str] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    note: str = ""


def decrypt_folder(
    root: Path, given: Path | None, environ: Mapping[str, str], redactor: Redactor
) -> Decryption:
    """Decrypt every SOPS file below `root`, hidden folders left out; nothing reaches a disk.

    Without a key, or with one that nobody named and no sops, nothing is decrypted: SOPS leaves
    names readable.

    Raises:
        PlanError: the key cannot be read or holds no identity.
        ToolMissingError: a key was named, but there is no sops.
    """
    key = find_age_key(root, given, environ)
    places = _find_encrypted(root)
    if not places or not key.reveal():
        return Decryption(note=_tell(len(places), "there is no age key") if places else "")
    from asyncio import run  # noqa: PLC0415 (start-up)

    from lifecycle.errors import ToolMissingError  # noqa: PLC0415 (start-up)

    redactor.learn([key])
    try:
        answers = run(_decrypt(root, places, key, environ, redactor))
    except ToolMissingError:
        if given is not None:
            raise
        return Decryption(note=_tell(len(places), "there is no sops"))
    return _sort(places, answers, redactor, is_given=given is not None)


def _sort(
    places: Mapping[str, Position],
    answers: Mapping[str, Decrypted | SopsError],
    redactor: Redactor,
    *,
    is_given: bool,
) -> Decryption:
    """Part texts from failures; a key that nobody named and that fits nothing is only noted."""
    from lifecycle.drivers.sops import SopsError  # noqa: PLC0415 (start-up)

    overlay: dict[str, str] = {}
    findings: list[Finding] = []
    for name, answer in answers.items():
        if isinstance(answer, SopsError):
            findings.append(_report(answer, places[name]))
        else:
            redactor.learn(answer.values)
            overlay[name] = answer.text.reveal().decode("utf-8", "replace")
    if not is_given and not overlay and {f.id for f in findings} <= {"key-does-not-fit"}:
        return Decryption(note=_tell(len(places), "the age key of this machine fits none"))
    note = f"{len(overlay)} of {len(places)} files decrypted"
    return Decryption(overlay, tuple(findings), note)


async def _decrypt(
    root: Path,
    paths: Iterable[str],
    key: Secret,
    environ: Mapping[str, str],
    redactor: Redactor,
) -> Mapping[str, Decrypted | SopsError]:
    """Ask sops for every file; raises ToolMissingError."""
    from lifecycle.drivers.process import Environment, ProcessRunner  # noqa: PLC0415 (start-up)
    from lifecycle.drivers.sops import Sops  # noqa: PLC0415 (start-up)
    from lifecycle.drivers.tools import find_tools  # noqa: PLC0415 (start-up)
    from lifecycle.store import find_cache_home  # noqa: PLC0415 (start-up)

    runner = ProcessRunner(Environment.from_variables(environ), redactor=redactor)
    cache = find_cache_home(environ) / "tools"
    path = environ.get("PATH", os.defpath)
    tools = await find_tools(("sops",), runner, path=path, cache=cache)
    sops = Sops(tools.program("sops"), runner, key)
    answers = await sops.decrypt_files([root / name for name in paths])
    return {path.relative_to(root).as_posix(): answer for path, answer in answers.items()}


def _find_encrypted(root: Path) -> Mapping[str, Position]:
    """Return each file that carries SOPS' stanza, and where that is."""
    tree = Tree(str(root), {})
    found: dict[str, Position] = {}
    for path in tree.repository_files():
        file = root / path
        if file.is_symlink() or not file.is_file() or not _mentions_sops(file):
            continue
        for document in tree.documents(path):
            if is_sops_document(document.value):
                found[path] = document.locate("sops")
                break
    return found


def _mentions_sops(file: Path) -> bool:
    """Look at the bytes first: parsing every file twice would double the time."""
    try:
        content = file.read_bytes()
    except OSError:
        return False  # reading the repository tells it with its place
    return b"ENC[" in content and b"sops" in content


def _report(error: SopsError, place: Position) -> Finding:
    from lifecycle.drivers.sops import SopsFailure  # noqa: PLC0415 (start-up)

    failure = error.failure
    if failure is SopsFailure.NO_KEY:
        return make_finding("key-does-not-fit", "the given age key is no recipient", place)
    lines = error.stderr_tail.strip().splitlines()
    said = f": {lines[-1]}" if lines and failure is SopsFailure.OTHER else ""
    return make_finding("file-does-not-decrypt", f"file does not decrypt: {failure}{said}", place)


def _tell(count: int, reason: str) -> str:
    return f"{count} encrypted files read by their names alone: {reason}"
