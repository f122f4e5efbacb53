"""SOPS: encrypted documents in, secrets out, in memory only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import yaml

from lifecycle.drivers.documents import Json
from lifecycle.drivers.process import Runner
from lifecycle.errors import CommandFailedError
from lifecycle.secrets import Secret

__all__ = ["Decrypted", "Sops", "SopsError", "SopsFailure"]

_TIMEOUT_S = 60.0
_AT_ONCE = 4  # each takes 50 ms of processor time; more only queue
_ENCRYPTED = "ENC["
_TYPES: Mapping[str, str] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".env": "dotenv"}


class SopsFailure(StrEnum):
    """Why a document does not decrypt."""

    NO_KEY = "no age key decrypts it"
    DAMAGED = "it was changed after it was encrypted"
    NOT_ENCRYPTED = "it is not encrypted"
    OTHER = "sops failed"


class SopsError(CommandFailedError):
    """Raised when a document does not decrypt; `failure` says why, `name` which."""

    def __init__(self, cause: CommandFailedError, failure: SopsFailure, *, name: str) -> None:
        super().__init__(
            cause.argv,
            returncode=cause.returncode,
            stderr_tail=cause.stderr_tail,
            hint=_HINTS[failure],
        )
        self.message = f"document does not decrypt: `{name}`: {failure}"
        self.args = (self.message,)
        self.failure = failure
        self.name = name


_HINTS: Mapping[SopsFailure, str] = {
    SopsFailure.NO_KEY: (
        "give the age key of one of the recipients in its `sops.age` list: --age-key FILE"
    ),
    SopsFailure.DAMAGED: "take the file's last good version from Git and edit it with `sops edit`",
    SopsFailure.NOT_ENCRYPTED: "encrypt it with `sops encrypt --in-place`",
    SopsFailure.OTHER: "",
}
# Exit codes and texts of sops 3.9 to 3.13 (`cmd/sops/codes`): the codes come first.
_CODES: Mapping[int, SopsFailure] = {
    25: SopsFailure.DAMAGED,  # a value fails its own authentication
    51: SopsFailure.DAMAGED,  # the MAC over all values
    52: SopsFailure.DAMAGED,  # the MAC is not there
    128: SopsFailure.NO_KEY,
}
_TEXTS: tuple[tuple[str, SopsFailure], ...] = (
    ("sops metadata not found", SopsFailure.NOT_ENCRYPTED),
    ("MAC mismatch", SopsFailure.DAMAGED),
    ("message authentication failed", SopsFailure.DAMAGED),
    ("Failed to get the data key", SopsFailure.NO_KEY),
)


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A decrypted document, and apart from it the values that had been encrypted.

    Addresses are left out of `values`: every machine config shows them, and errors without them
    help nobody.
    """

    text: Secret
    values: tuple[Secret, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sops:
    """sops with an age key, or with those that it finds itself when none is given."""

    program: str
    runner: Runner
    age_key: Secret | None = None

    async def decrypt(self, content: bytes, *, name: str) -> Decrypted:
        """Decrypt a document; `name` is its file name, whose suffix is its format.

        Raises:
            SopsError: It does not decrypt.
        """
        kind = _TYPES.get(Path(name).suffix, "binary")
        argv = [self.program, "decrypt", "--input-type", kind, "--output-type", kind, "/dev/stdin"]
        env = {} if self.age_key is None else {"SOPS_AGE_KEY": self.age_key}
        try:
            completed = await self.runner.run(argv, timeout_s=_TIMEOUT_S, env=env, stdin=content)
        except CommandFailedError as error:
            raise SopsError(error, _failure(error), name=name) from error
        values = _encrypted_values(content, completed.stdout) if kind == "yaml" else ()
        return Decrypted(Secret(completed.stdout), values)

    async def decrypt_files(self, paths: Sequence[Path]) -> Mapping[Path, Decrypted | SopsError]:
        """Decrypt many files at the same time; each has its text or its error."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def decrypt_one(path: Path) -> Decrypted | SopsError:
            async with limit:
                content = await asyncio.to_thread(path.read_bytes)
                try:
                    return await self.decrypt(content, name=str(path))
                except SopsError as error:
                    return error

        answers = await asyncio.gather(*(decrypt_one(path) for path in paths))
        return dict(zip(paths, answers, strict=True))


def _failure(error: CommandFailedError) -> SopsFailure:
    by_text = (failure for text, failure in _TEXTS if text in error.stderr_tail)
    return _CODES.get(error.returncode) or next(by_text, SopsFailure.OTHER)


def _encrypted_values(encrypted: bytes, decrypted: bytes) -> tuple[Secret, ...]:
    """Return the texts that stand in `decrypted` where `encrypted` has a cipher text."""
    try:
        before: list[Json] = list(yaml.load_all(encrypted, Loader=yaml.CSafeLoader))
        after: list[Json] = list(yaml.load_all(decrypted, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return ()
    found: set[str] = set()
    for cipher, plain in zip(before, after, strict=False):
        _collect(cipher, plain, found)
    return tuple(Secret(value) for value in sorted(found) if not _is_address(value))


def _collect(cipher: Json, plain: Json, found: set[str]) -> None:
    """Walk both trees side by side."""
    if isinstance(cipher, Mapping) and isinstance(plain, Mapping):
        for key in cipher.keys() & plain.keys():
            _collect(cipher[key], plain[key], found)
    elif isinstance(cipher, str):
        if cipher.startswith(_ENCRYPTED) and isinstance(plain, str):
            found.add(plain)
    elif isinstance(cipher, Sequence) and isinstance(plain, Sequence):
        for one, other in zip(cipher, plain, strict=False):
            _collect(one, other, found)


def _is_address(value: str) -> bool:
    """Tell whether a value is an address, a network or a range of addresses."""
    try:
        for part in value.split("-"):
            ipaddress.ip_interface(part.strip())
    except ValueError:
        return False
    return True
