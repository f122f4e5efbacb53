"""age's X25519 keys: the public one that belongs to a private one.

Both are Bech32 (BIP 173) over 32 bytes, `AGE-SECRET-KEY-1...` and `age1...`
(https://age-encryption.org/v1, native X25519 recipients).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lifecycle.errors import DriverError
from lifecycle.secrets import Secret

__all__ = ["derive_recipient", "with_recipient"]

_IDENTITY = re.compile(r"^AGE-SECRET-KEY-1([02-9AC-HJ-NP-Z]+)$", re.MULTILINE)
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_SYMBOLS = 6
_PREFIX = "age"


def derive_recipient(identity: Secret) -> str:
    """Return the public key, `age1...`, of the first private key in an age key file.

    Raises:
        DriverError: There is no X25519 key in it, or it is damaged; nothing of it is shown.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415 - 50 ms, seldom
        X25519PrivateKey,
    )

    found = _IDENTITY.search(identity.reveal_text())
    if found is None:
        raise _unusable("no AGE-SECRET-KEY-1 line is in it")
    symbols = [_ALPHABET.index(character) for character in found[1].lower()]
    if _checksum("age-secret-key-", symbols) != 1:
        raise _unusable("its checksum is wrong")
    private = bytes(_regroup(symbols[:-_CHECKSUM_SYMBOLS], 5, 8))
    try:
        key = X25519PrivateKey.from_private_bytes(private)
    except ValueError:
        raise _unusable("it has not 32 bytes") from None
    return _encode(key.public_key().public_bytes_raw())


def with_recipient(identity: Secret) -> Secret:
    """Return a key file as age-keygen writes it: with the public key in a comment.

    ClusterTool reads the public key from there and from nowhere else (`initfiles.GetPubKey`).
    """
    text = identity.reveal_text()
    if "# public key: " in text:
        return identity
    return Secret(f"# public key: {derive_recipient(identity)}\n{text.strip()}\n")


def _encode(data: bytes) -> str:
    symbols = [*_regroup(data, 8, 5, pad=True)]
    check = _checksum(_PREFIX, [*symbols, *[0] * _CHECKSUM_SYMBOLS]) ^ 1
    places = range(_CHECKSUM_SYMBOLS - 1, -1, -1)
    symbols += [check >> 5 * place & 31 for place in places]
    return f"{_PREFIX}1" + "".join(_ALPHABET[symbol] for symbol in symbols)


def _checksum(prefix: str, symbols: Sequence[int]) -> int:
    """Return BIP 173's polymod; 1 for a string with a right checksum."""
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    value = 1
    for symbol in (*expanded, *symbols):
        top = value >> 25
        value = (value & 0x1FFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATOR):
            value ^= generator if top >> bit & 1 else 0
    return value


def _regroup(values: Iterable[int], size: int, wanted: int, *, pad: bool = False) -> list[int]:
    """Cut a stream of `size`-bit numbers into `wanted`-bit ones."""
    stream = "".join(f"{value:0{size}b}" for value in values)
    if pad:
        stream += "0" * (-len(stream) % wanted)
    whole = len(stream) - len(stream) % wanted
    return [int(stream[start : start + wanted], 2) for start in range(0, whole, wanted)]


def _unusable(reason: str) -> DriverError:
    return DriverError(
        f"age key is not usable: {reason}",
        hint="give the file that age-keygen wrote, or SOPS_AGE_KEY with its last line",
    )
