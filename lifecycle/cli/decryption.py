"""Decrypt a folder's files in memory, as far as a key and sops are at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inventory import Finding, Position
from inventory.rules import make_finding
from inventory.tree import Tree
from inventory.variables import is_sops_document
from lifecycle.cli.age_keys import find_age_key
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.sops import Sops, SopsError, SopsFailure
from lifecycle.drivers.tools import find_tools
from lifecycle.secrets import Redactor
from lifecycle.store import find_cache_home

__all__ = ["Decryption", "decrypt_folder"]


@dataclass(frozen=True, slots=True)
class Decryption:
    """Texts by repository path, what could not be decrypted, and how it went in a few words."""

    overlay: Mapping[str, str] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    note: str = ""


async def decrypt_folder(
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
    paths = _find_encrypted(root)
    if not paths or not key.reveal():
        return Decryption(note=_tell(len(paths), "there is no age key") if paths else "")
    redactor.learn([key])
    runner = ProcessRunner(Environment.from_variables(environ), redactor=redactor)
    cache = find_cache_home(environ) / "tools"
    path = environ.get("PATH", os.defpath)
    tools = await find_tools(("sops",), runner, path=path, cache=cache)
    if "sops" in tools.missing and given is None:
        return Decryption(note=_tell(len(paths), "there is no sops"))
    sops = Sops(tools.program("sops"), runner, key)
    answers = await sops.decrypt_files([root / name for name in paths])
    overlay: dict[str, str] = {}
    findings: list[Finding] = []
    for name, place in paths.items():
        answer = answers[root / name]
        if isinstance(answer, SopsError):
            findings.append(_report(answer, place))
        else:
            redactor.learn(answer.values)
            overlay[name] = answer.text.reveal().decode("utf-8", "replace")
    if given is None and not overlay and all(f.id == "key-does-not-fit" for f in findings):
        return Decryption(note=_tell(len(paths), "the age key of this machine fits none"))
    return Decryption(overlay, tuple(findings), f"{len(overlay)} of {len(paths)} files decrypted")


def _find_encrypted(root: Path) -> Mapping[str, Position]:
    """Return each file that carries SOPS' stanza, and where that is."""
    tree = Tree(str(root), {})
    found: dict[str, Position] = {}
    for path in tree.repository_files():
        text = tree.text(path) or ""
        if "sops" not in text or "ENC[" not in text or (root / path).is_symlink():
            continue
        for document in tree.documents(path):
            if is_sops_document(document.value):
                found[path] = document.locate("sops")
                break
    return found


def _report(error: SopsError, place: Position) -> Finding:
    failure = error.failure
    if failure is SopsFailure.NO_KEY:
        return make_finding("key-does-not-fit", "the given age key is no recipient", place)
    lines = error.stderr_tail.strip().splitlines()
    said = f": {lines[-1]}" if lines and failure is SopsFailure.OTHER else ""
    return make_finding("file-does-not-decrypt", f"file does not decrypt: {failure}{said}", place)


def _tell(count: int, reason: str) -> str:
    return f"{count} encrypted files read by their names alone: {reason}"
