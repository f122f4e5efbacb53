"""The files of a repository: read once, never outside the root, never written."""

# os.path is several times faster than pathlib over thousands of files.
# ruff: noqa: PTH112, PTH113, PTH114, PTH116, PTH118, PTH123

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from inventory.documents import Document, parse_documents
from inventory.model import Finding, Position, Severity
from inventory.rules import make_finding

MAX_DEPTH = 40  # directories within directories; real trees have at most 12
MAX_FILE_BYTES = 16 * 1024 * 1024  # the largest real file seen is a 5 MB dashboard
YAML_SUFFIXES = (".yaml", ".yml")
_SKIPPED_DIRECTORIES = frozenset({".git", ".github", ".venv", "node_modules"})


class Tree:
    """Read access to a repository by POSIX paths relative to its root.

    `overlay` holds texts to use instead of the files' content (decrypted in memory by the caller).
    What cannot be read becomes a finding in `findings`, once a file.
    """

    def __init__(self, root: str, overlay: Mapping[str, str]) -> None:
        self.root = os.path.realpath(root)
        self.findings: list[Finding] = []
        self._overlay = {normalise(path) or path: text for path, text in overlay.items()}
        self._documents: dict[str, tuple[Document, ...]] = {}
        self._texts: dict[str, str | None] = {}
        self._failed: set[str] = set()
        self._mentions: dict[tuple[str, tuple[str, ...]], bool] = {}
        self._lines: dict[str, dict[int, Document]] = {}
        self._names: dict[str, Sequence[tuple[str, bool]]] = {}
        self._real: dict[str, str | None] = {}
        self._folders: dict[str, str | None] = {".": self.root, "": self.root}

    def is_file(self, path: str) -> bool:
        """Say whether `path` is a regular file inside the repository."""
        if path in self._overlay:
            return True
        real = self._inside(path)
        return real is not None and os.path.isfile(real)

    def is_directory(self, path: str) -> bool:
        """Say whether `path` is a directory inside the repository."""
        real = self._inside(path)
        return real is not None and os.path.isdir(real)

    def names(self, path: str) -> Sequence[tuple[str, bool]]:
        """Return (name, is a directory) of what `path` holds, sorted; symlinks are not followed."""
        if path not in self._names:
            self._names[path] = _scan(self._inside(path))
        return self._names[path]

    def resolve(self, path: str) -> str:
        """Return what a path leads to once symbolic links are followed, as a repository path."""
        real = self._inside(path)
        if real is None:
            return path
        return os.path.relpath(os.path.realpath(real), self.root).replace(os.sep, "/")

    def walk(self, path: str) -> Iterator[str]:
        """Yield every YAML file below `path`, sorted, without tool directories."""
        if path.count("/") >= MAX_DEPTH:
            self._report(
                path, "nested-too-deep", f"directories nest too deep: `{MAX_DEPTH}` levels"
            )
            return
        for name, is_directory in self.names(path):
            child = join(path, name)
            if is_directory:
                if name not in _SKIPPED_DIRECTORIES:
                    yield from self.walk(child)
            elif name.endswith(YAML_SUFFIXES):
                yield child

    def text(self, path: str) -> str | None:
        """Return the text of a file; None (with a finding) when it cannot be read."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str | None:
        if path in self._overlay:
            return self._overlay[path]
        real = self._inside(path)
        if real is None:
            self._report(path, "path-escapes", "path leads outside the repository")
            return None
        try:
            return self._decode(path, self._bytes(path, real))
        except OSError as error:
            self._report(path, "file-unreadable", f"file cannot be read: {error.strerror}")
        return None

    def documents(self, path: str) -> tuple[Document, ...]:
        """Return the YAML documents of a file that have content; problems become findings."""
        known = self._documents.get(path)
        if known is None:
            known = self._documents[path] = self._parse(path)
        return known

    def mentions(self, path: str, *marks: str) -> bool:
        """Say whether a file's text holds one of `marks`; each file is searched once for them."""
        known = self._mentions.get((path, marks))
        if known is None:
            text = self.text(path) or ""
            known = self._mentions[path, marks] = any(mark in text for mark in marks)
        return known

    def document_at(self, path: str, line: int) -> Document | None:
        """Return the document of a file that starts on a line."""
        known = self._lines.get(path)
        if known is None:
            known = {document.line: document for document in reversed(self.documents(path))}
            self._lines[path] = known
        return known.get(line)

    def has_failed(self, path: str) -> bool:
        """Say whether reading `path` gave an error, so that a build with it fails."""
        return path in self._failed

    def repository_files(self) -> Iterator[str]:
        """Yield every YAML file of the repository, without hidden folders."""
        for name, is_directory in self.names("."):
            if is_directory and not name.startswith("."):
                yield from self.walk(name)
            elif name.endswith(YAML_SUFFIXES) and not name.startswith("."):
                yield name

    def template_files(self) -> Iterator[str]:
        """Yield ClusterTool's own files (`*.ct`) beside the YAML files that were read."""
        folders = sorted({parent(path) for path in self._documents})
        for folder in folders:
            for name, is_directory in self.names(folder):
                if name.endswith(".ct") and not is_directory:
                    yield join(folder, name)

    def files_called(self, name: str) -> Iterator[str]:
        """Yield every file of that name in the folders that were looked through, sorted."""
        for folder in sorted(self._names):
            if (name, False) in self._names[folder]:
                yield join(folder, name)

    def original_documents(self, path: str) -> tuple[Document, ...]:
        """Return the documents of the file itself, without the overlay and without findings."""
        if path not in self._overlay:
            return self.documents(path)
        real = self._inside(path)
        try:
            text = "" if real is None else self._bytes(path, real).decode(errors="replace")
        except OSError:
            return ()
        return tuple(parse_documents(path, text)[0])

    def kustomizations(self) -> list[str]:
        """Return the kustomization files that were read, sorted."""
        return sorted(path for path in self._documents if _is_kustomization(path))

    def is_empty(self, path: str) -> bool:
        """Say whether a file was read and holds no document at all."""
        return self._documents.get(path) == () and path not in self._failed

    def report(self, finding: Finding) -> None:
        """Add a finding."""
        self.findings.append(finding)

    def _parse(self, path: str) -> tuple[Document, ...]:
        text = self.text(path)
        if text is None:
            return ()
        documents, problems = parse_documents(path, text)
        for problem in problems:
            position = Position(path, problem.line, problem.column)
            is_double = problem.message.startswith("duplicate key")
            if is_double and _is_kustomization(path):
                finding = make_finding("duplicate-key", problem.message, position)
                self.findings.append(replace(finding, severity=Severity.WARNING))
            else:
                name = "duplicate-key" if is_double else "invalid-yaml"
                self._fail(path, name, problem.message, position)
        return tuple(documents)

    def _bytes(self, path: str, real: str) -> bytes:
        status = os.stat(real)
        if not stat.S_ISREG(status.st_mode):
            self._report(path, "file-unreadable", "not a regular file")
            return b""
        if status.st_size > MAX_FILE_BYTES:
            self._report(path, "file-too-large", f"file is too large: `{status.st_size}` bytes")
            return b""
        with open(real, "rb") as file:
            return file.read(MAX_FILE_BYTES)

    def _decode(self, path: str, data: bytes) -> str:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._fail(
                path, "not-text", f"file is not text: {error.reason}", Position(path, line, 1)
            )
            return ""

    def _inside(self, path: str) -> str | None:
        """Return the real path when it lies in the root, following symlinks as Git tools do."""
        if path not in self._real:
            self._real[path] = self._find(path)
        return self._real[path]

    def _find(self, path: str) -> str | None:
        if "\0" in path or normalise(path) is None:
            return None
        folder, _, name = path.rpartition("/")
        real_folder = self._folder(folder)
        if real_folder is None or name in (".", ""):
            return real_folder
        return self._follow(real_folder, name)

    def _folder(self, folder: str) -> str | None:
        """Return the real path of a folder; one system call for each that is new."""
        if folder not in self._folders:
            above, _, name = folder.rpartition("/")
            if normalise(folder) != folder or folder.count("/") > MAX_DEPTH:
                real = self._resolve(os.path.join(self.root, folder))
            else:
                real_above = self._folder(above)
                real = None if real_above is None else self._follow(real_above, name)
            self._folders[folder] = real
        return self._folders[folder]

    def _follow(self, real_folder: str, name: str) -> str | None:
        real = f"{real_folder}/{name}"
        return self._resolve(real) if os.path.islink(real) else real

    def _resolve(self, real: str) -> str | None:
        resolved = os.path.realpath(real)
        if resolved == self.root or resolved.startswith(self.root + os.sep):
            return resolved
        return None

    def _report(self, path: str, name: str, message: str) -> None:
        self._fail(path, name, message, Position(path))

    def _fail(self, path: str, name: str, message: str, position: Position) -> None:
        self._failed.add(path)
        self.findings.append(make_finding(name, message, position))


def normalise(path: str) -> str | None:
    """Return `path` relative to the root without `.` and `..`; None when it leaves the root.

    An absolute path counts from the root, as Flux joins `spec.path` to the artifact's root.
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


def join(folder: str, path: str) -> str:
    """Join a repository path and a name; `.` is the root."""
    return path if folder in (".", "") else f"{folder}/{path}"


def parent(path: str) -> str:
    """Return the folder of a repository path; `.` for the root."""
    return path.rpartition("/")[0] or "."


def is_below(path: str, folder: str) -> bool:
    """Say whether `path` is `folder` or lies in it."""
    return folder in (".", path) or path.startswith(folder + "/")


def _scan(real: str | None) -> Sequence[tuple[str, bool]]:
    if real is None:
        return ()
    try:
        with os.scandir(real) as entries:
            return sorted([(e.name, e.is_dir(follow_symlinks=False)) for e in entries])
    except OSError:
        return ()


def _is_kustomization(path: str) -> bool:
    return path.rpartition("/")[2] in ("kustomization.yaml", "kustomization.yml", "Kustomization")
