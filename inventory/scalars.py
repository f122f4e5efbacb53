"""What unquoted YAML scalars mean to Go's YAML packages.

Kustomize reads objects with yaml.v3; kustomization.yaml, JSON 6902 patches and what Flux has
substituted are read with sigs.k8s.io/yaml, for which `yes` and `on` are true, as in YAML 1.1.
https://github.com/go-yaml/yaml/blob/v3/resolve.go
https://github.com/kubernetes-sigs/yaml/blob/master/yaml.go
"""

from __future__ import annotations

import re
import struct
from typing import Final

from inventory.model import Json

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SUSPICIOUS = frozenset(("", *"~nNtTfF0123456789+-."))  # first letters of anything but text
_NUMERIC: Final = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_INTEGER_TEXT = 80  # longer than any 64-bit integer in base 2
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?[ \t]*(?:Z|[-+][0-9:]+)?)?\Z"
)
_OLD_FLAGS: Final[dict[str, bool]] = {
    spelling: flag
    for words, flag in (("y yes on", True), ("n no off", False))
    for word in words.split()
    for spelling in (word, word.title(), word.upper())
}
_OLD_WORD: Final = re.compile(
    r"(?:^|[\s\[{,:])(?:y|yes|n|no|on|off)[ \t\r]*(?:$|[\n,\]}:]|[ \t]#)", re.IGNORECASE
)


def resolve_scalar(text: str) -> Json:
    """Return what an unquoted scalar means to Go's yaml.v3."""
    if text[:1] not in _SUSPICIOUS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    plain = text.replace("_", "")
    if _INTEGER.match(plain) and len(plain) <= _MAX_INTEGER_TEXT:
        return _integer(plain)
    if _FLOAT.match(plain):
        number = float(plain)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def _integer(plain: str) -> Json:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-")
    prefix = digits[:2].lower()
    if prefix in ("0x", "0b", "0o"):
        number = int(digits[2:], {"0x": 16, "0b": 2, "0o": 8}[prefix])
    elif digits[0] == "0" and len(digits) > 1:
        number = int(digits, 8)
    else:
        number = int(digits)
    if not -(2**63) <= sign * number < 2**64:
        return float(sign * number)
    return sign * number


def resolve_old_scalar(text: str) -> Json:
    """Return what an unquoted scalar means to sigs.k8s.io/yaml: YAML 1.1 has more booleans."""
    return _OLD_FLAGS[text] if text in _OLD_FLAGS else resolve_scalar(text)


def has_old_words(text: str) -> bool:
    """Say whether a text may hold an unquoted boolean of YAML 1.1."""
    return _OLD_WORD.search(text) is not None


def is_date(text: str) -> bool:
    """Say whether an unquoted scalar is a date for yaml.v3, which writes it with its time."""
    return text[:1].isdigit() and _DATE.match(text) is not None


def is_other_key(text: str) -> bool:
    """Say whether an unquoted key is no text for yaml.v3; JSON has no such keys."""
    if text[:1] not in _NUMERIC and text not in _CONSTANTS:
        return False
    return is_date(text) or not isinstance(resolve_scalar(text), str)


def write_text(value: Json) -> str:
    """Return what sigs.k8s.io/yaml makes of a scalar where a text is wanted.

    It formats floats with 32 bits (`convertToJSONableObject`): `1.10` becomes `1.1`.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return _write_float(value) if isinstance(value, float) else str(value)


def _write_float(value: float) -> str:
    """Return a float as Go's `FormatFloat(value, 'g', -1, 32)` does."""
    try:
        (narrow,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return "+Inf" if value > 0 else "-Inf"
    texts = (f"{narrow:.{digits}e}" for digits in range(9))
    shortest = next((t for t in texts if struct.pack("f", float(t)) == struct.pack("f", value)), "")
    mantissa, _, exponent = (shortest or f"{narrow:.8e}").partition("e")
    power = int(exponent)
    if not -4 <= power < 6:  # noqa: PLR2004 - Go's limits for the shortest form
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"
    digits = len(mantissa.partition(".")[2])
    return f"{narrow:.{max(0, digits - power)}f}"
