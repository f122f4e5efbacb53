"""What unquoted YAML scalars mean to Go's yaml.v3.

https://github.com/go-yaml/yaml/blob/v3/resolve.go
"""

from __future__ import annotations

import re

from inventory.model import Json

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SUSPICIOUS = frozenset(("", *"~nNtTfF0123456789+-."))  # first letters of anything but text
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_INTEGER_TEXT = 80  # longer than any 64-bit integer in base 2


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
