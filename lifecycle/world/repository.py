"""The cluster repository of a run: read once, decrypted in memory, copied privately when needed."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inventory import Inventory, Source, read_repository
from lifecycle.drivers.git import Git
from lifecycle.drivers.private import PrivateFolder
from lifecycle.drivers.sops import Decrypted, Sops, SopsError
from lifecycle.errors import CommandFailedError, DriverError, InventoryError
from lifecycle.secrets import Redactor, Secret

__all__ = ["Copying", "Repository", "open_repository"]

_SUFFIXES = (".yaml", ".yml", ".json", ".env")
# SOPS' own stanza: at the start of a line in YAML, quoted in JSON.
_SOPS_STANZA = re.compile(rb'^(sops:|\s*"sops":|sops_version=)', re.MULTILINE)
# `certs.os.crt` and `certs.k8s.crt` of a secrets bundle (talosctl gen secrets).
_CA = r"^\s+{}:\s*\n\s+crt:\s*(\S+)"
# Nothing but the conventional user of SSH before the host, and no query.
_CREDENTIAL_FREE = re.compile(r"^(ssh://(git@)?|https?://)[^@?\s]+$")


class Copying:
    """A clone of one commit, begun when it is asked for, or ahead of that."""

    def __init__(self, git: Git, destination: Path, commit: str) -> None:
        self._git = git
        self._destination = destination
        self._commit = commit
        self._task: asyncio.Task[Path] | None = None

    def begin(self) -> None:
        """Clone beside whatever else is done."""
        if self._task is None:
            self._task = asyncio.create_task(self._git.copy(self._destination, commit=self._commit))

    async def ended(self) -> Path:
        """Return where the clone is; after a failure the next call clones anew.

        Raises:
            CommandFailedError: git could not make it.
        """
        self.begin()
        assert self._task is not None  # noqa: S101 (narrows the type)
        try:
            return await self._task
        except DriverError:
            self._task = None
            raise

    async def stop(self) -> None:
        """End a clone under way; nothing is written any more afterwards."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@dataclass(slots=True)
class Repository:
    """What one run reads; `decrypted` and `failures` are by repository path."""

    root: Path
    cluster: str
    commit: str
    inventory: Inventory
    age_key: Secret
    decrypted: Mapping[str, Decrypted] = field(repr=False)
    failures: Mapping[str, SopsError]
    git: Git
    _copying: Copying
    _copy: Path | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def talos_ca(self) -> bytes:
        """The PEM of the Talos CA in talsecret.yaml; empty when the repository holds none."""
        return self._read_ca("os")

    @property
    def kubernetes_ca(self) -> bytes:
        """The PEM of the Kubernetes CA in talsecret.yaml; empty when the repository holds none."""
        return self._read_ca("k8s")

    def _read_ca(self, name: str) -> bytes:
        path = f"clusters/{self.cluster}/talos/generated/talsecret.yaml"
        decrypted = self.decrypted.get(path)
        if decrypted is not None:
            text = decrypted.text.reveal_text()
        else:
            file = self.root / path
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        found = re.search(_CA.format(name), text, re.MULTILINE)
        try:
            return base64.b64decode(found[1], validate=True) if found else b""
        except ValueError as error:
            raise InventoryError(
                f"certificate is not base64: `certs.{name}.crt`",
                path=path,
                hint="take talsecret.yaml from a backup",
            ) from error

    async def private_copy(self) -> Path:
        """Return a clone of HEAD with everything decrypted, in the private folder; made once."""
        async with self._lock:
            if self._copy is None:
                copy = await self._copying.ended()
                await asyncio.to_thread(_write_clear, copy, self.decrypted)
                self._copy = copy
        return self._copy


@asynccontextmanager
async def open_repository(
    root: Path,
    cluster: str,
    *,
    git: Git,
    sops: Sops,
    private: PrivateFolder,
    redactor: Redactor,
    copy_ahead: bool = False,
) -> AsyncIterator[Repository]:
    """Read and decrypt a repository; what does not decrypt is kept in `failures`.

    With `copy_ahead` the private copy is begun at once, since it is going to be needed.

    Raises:
        InventoryError: the folder is no Git repository with a commit, or has no such cluster.
        ToolMissingError: git or sops is missing.
    """
    commit, tracked = await _read_index(root, git)
    copying = Copying(git, private.path / "repository", commit)
    try:
        if copy_ahead:
            copying.begin()
        encrypted = await asyncio.to_thread(_find_encrypted, root, tracked)
        answers = await sops.decrypt_files([root / path for path in encrypted])
        decrypted: dict[str, Decrypted] = {}
        failures: dict[str, SopsError] = {}
        for path in encrypted:
            answer = answers[root / path]
            if isinstance(answer, SopsError):
                failures[path] = answer
            else:
                decrypted[path] = answer
                redactor.learn(answer.values)
        overlay = {path: item.text.reveal_text() for path, item in decrypted.items()}
        inventory = await asyncio.to_thread(read_repository, root, cluster, overlay)
        redactor.spare(_find_tellable_urls(inventory.sources))
        key = sops.age_key or Secret("")
        yield Repository(root, cluster, commit, inventory, key, decrypted, failures, git, copying)
    finally:
        await copying.stop()


def _find_tellable_urls(sources: Iterable[Source]) -> list[str]:
    """Return the URLs of Git sources that carry no credential.

    ClusterTool keeps `GITHUB_REPOSITORY` in the encrypted clusterenv.yaml; an error about a
    remote that cannot be named helps nobody. A token may stand where the user does.
    """
    urls = [source.url for source in sources if source.kind == "GitRepository"]
    return [url for url in urls if _CREDENTIAL_FREE.match(url)]


async def _read_index(root: Path, git: Git) -> tuple[str, tuple[str, ...]]:
    """Return the commit that is checked out, and every tracked path."""
    try:
        return await git.head(), await git.tracked_files()
    except CommandFailedError as error:
        if "not a git repository" in error.stderr_tail:
            raise InventoryError(
                f"cluster repository is not a Git repository: `{root}`",
                hint="Flux reads Git: clone your repository, or begin one with git init",
            ) from error
        if "single revision" in error.stderr_tail:
            raise InventoryError(
                f"cluster repository has no commit yet: `{root}`",
                hint="commit what is there, and push it to where Flux reads it",
            ) from error
        raise


def _find_encrypted(root: Path, tracked: Iterable[str]) -> list[str]:
    """Return the tracked files that carry SOPS' stanza."""
    found: list[str] = []
    for path in tracked:
        file = root / path
        if not path.endswith(_SUFFIXES) or file.is_symlink() or not file.is_file():
            continue
        content = file.read_bytes()
        if b"ENC[" in content and _SOPS_STANZA.search(content):
            found.append(path)
    return found


def _write_clear(copy: Path, decrypted: Mapping[str, Decrypted]) -> None:
    for path, item in decrypted.items():
        (copy / path).write_bytes(item.text.reveal())
