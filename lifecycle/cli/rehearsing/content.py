"""Faults of the repository: a private copy is broken by one after the other, and validated."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inventory import Finding, read_repository
from lifecycle.cli.decryption import decrypt_folder
from lifecycle.cli.lab import make_lab_environment, make_place_argv
from lifecycle.cli.rehearsing.trials import tell_first_line
from lifecycle.cli.rehearsing.values import Known, Part, Row, Verdict
from lifecycle.cli.requests import ClusterRequest
from lifecycle.drivers.documents import (
    JsonObject,
    as_object,
    parse_json,
    text_at,
    texts_at,
)
from lifecycle.errors import LifecycleError, PreconditionError
from lifecycle.gates.repository import refuses
from lifecycle.secrets import Redactor

__all__ = ["Copy", "Damage", "open_copy"]

_FOLDER = "copy"
_SOPS_MARKS = (b"ENC[", b"sops")


@dataclass(frozen=True, slots=True)
class Damage:
    """What a fault did to the copy: which files it touched, and what is found since.

    `why` says why it does not apply; empty when it does.
    """

    why: str
    changed: tuple[str, ...] = ()
    found: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Copy:
    """A private copy, and the process of the lab that breaks and mends it."""

    root: Path
    cluster: str
    commit: str
    _process: subprocess.Popen[str]
    _environ: Mapping[str, str]
    _key: Path | None
    _redactor: Redactor
    _overlay: Mapping[str, str] = field(default_factory=dict, repr=False)
    _before: frozenset[tuple[str, str]] = frozenset()

    def look(self) -> None:
        """Read it as it is, before it is broken."""
        self._overlay, findings = self._decrypt()
        inventory = read_repository(self.root, self.cluster, self._overlay)
        found = (*inventory.findings, *findings)
        self._before = frozenset((one.id, one.message) for one in found)

    def count_components(self) -> int:
        """Return how many components the cluster has."""
        return len(read_repository(self.root, self.cluster, self._overlay).components)

    def damage(self, known: Known) -> Damage:
        """Break it, and see what `validate` finds."""
        answer = self._ask(known.name)
        if why := text_at(answer, "why"):
            return Damage(why)
        changed = texts_at(answer, "changed")
        found = [one for one in self._find(changed) if (one.id, one.message) not in self._before]
        return Damage("", changed, tuple(found))

    def try_fault(self, known: Known) -> Row:
        """Break it, and see whether `validate` says so."""
        begun = time.monotonic()
        damage = self.damage(known)
        elapsed_s = time.monotonic() - begun
        if damage.why:
            return Row(Part.FAULTS, known.name, Verdict.DOES_NOT_APPLY, damage.why)
        found, promised = damage.found, known.names_of("finding")
        wanted = sorted((one for one in found if one.id in promised), key=refuses, reverse=True)
        if promised <= {one.id for one in wanted}:
            said = self._redactor.redact(_describe(wanted[0]))
            return Row(Part.FAULTS, known.name, Verdict.HELD, said, elapsed_s)
        others = ", ".join(sorted({one.id for one in found})) or "nothing"
        said = f"promised was {', '.join(sorted(promised))}; found was {others}"
        said = f"{said} ({damage.changed[0]})"
        return Row(Part.FAULTS, known.name, Verdict.FAILED, said, elapsed_s)

    def _find(self, changed: Sequence[str]) -> Sequence[Finding]:
        """Read it again; only when something encrypted was changed is all decrypted again."""
        if any(self._is_encrypted(path) for path in changed):
            overlay, findings = self._decrypt()
        else:
            overlay = {p: text for p, text in self._overlay.items() if p not in changed}
            findings = ()
        inventory = read_repository(self.root, self.cluster, overlay)
        return (*inventory.findings, *findings)

    def _is_encrypted(self, path: str) -> bool:
        file = self.root / path
        content = file.read_bytes() if file.is_file() else b""
        return all(mark in content for mark in _SOPS_MARKS)

    def _decrypt(self) -> tuple[Mapping[str, str], tuple[Finding, ...]]:
        done = decrypt_folder(self.root, self._key, self._environ, self._redactor)
        return done.overlay, done.findings

    def _ask(self, name: str) -> JsonObject:
        assert self._process.stdin is not None  # noqa: S101 (it was opened with pipes)
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return _read_answer(self._process)


@contextmanager
def open_copy(
    home: Path,
    target: ClusterRequest,
    tools: Sequence[Path],
    environ: Mapping[str, str],
    redactor: Redactor,
) -> Iterator[Copy]:
    """Let the lab make a private copy of the repository's HEAD; it is removed afterwards.

    Raises:
        LifecycleError: it could not be made; the message says why.
    """
    folder = home / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*make_place_argv("break", folder, target, tools)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
            env=make_lab_environment(),
        )
    try:
        said = _read_answer(process)
        if not said:
            _, _, text = log.read_text(encoding="utf-8").rpartition("error: ")
            message, _, hint = text.strip().partition("\nhint: ")
            # The copy is gone by the time somebody tries what the hint says.
            hint = hint.replace(str(folder / "repository"), str(target.repo or "."))
            raise PreconditionError(message or "lab cannot copy the repository", hint=hint)
        key = text_at(said, "age_key_file")
        yield Copy(
            root=Path(text_at(said, "root")),
            cluster=text_at(said, "cluster"),
            commit=text_at(said, "commit"),
            _process=process,
            _environ=environ,
            _key=Path(key) if key else target.age_key_file,
            _redactor=redactor,
        )
    finally:
        _close(process)
        shutil.rmtree(folder, ignore_errors=True)


def _read_answer(process: subprocess.Popen[str]) -> JsonObject:
    assert process.stdout is not None  # noqa: S101 (it was opened with pipes)
    line = process.stdout.readline()
    if not line:
        process.wait()
        if process.returncode in (0, None):
            raise LifecycleError("lab's copy ended early")
        return {}
    return as_object(parse_json(line))


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    if process.poll() is None:
        process.terminate()
    process.wait()


def _describe(finding: Finding) -> str:
    blocks = "a bootstrap is refused" if refuses(finding) else "a bootstrap goes on"
    return f"{finding.position}: {tell_first_line(finding.message)} ({finding.id}; {blocks})"
