"""Checks of values that mean something else than they seem to, once YAML has been read.

Tried with kustomize 5.8 and `flux build` 2.9: kustomize writes `1.10` as `1.1`, `0123` as `83`
and `2024-01-02` with its time; `yes` and `off` stay texts, which a chart takes for true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from inventory.checks.facts import Facts
from inventory.documents import parse_documents
from inventory.flux import HELM_GROUP
from inventory.model import Finding, Json, ObjectRef
from inventory.objects import children, get
from inventory.rules import make_finding
from inventory.scalars import is_date

_Keys: TypeAlias = tuple[str | int, ...]
_VERSIONS: Final = frozenset({"tag", "version", "appVersion", "imageTag", "image_tag"})
_SWITCHES: Final = frozenset({"enabled", "disabled", "create", "install", "installCRDs"})
_FALSE_WORDS: Final = frozenset({"no", "off", "n", "false"})
_PLAIN_ENVIRONMENTS: Final = frozenset({"env", "envs", "data", "labels", "annotations"})
_ZEROS: Final = re.compile(r"0[0-9_]+\Z")
# What a file must hold before it is read a second time.
_SUSPECT: Final = re.compile(
    r"[\s:,{\[](?:0[0-9_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"|(?:tag|ersion|Tag):\s*[-+0-9][\w.+-]*[ \t]*(?:$|[\n,}#])"
)
_MIN_OCTAL: Final = 8  # below, a number in base 8 is the same in base 10


class _Plain(str):
    """An unquoted scalar, as written."""

    __slots__ = ()


def check_spellings(facts: Facts) -> Iterator[Finding]:
    """Yield unquoted values that come out as others, and texts that switch on what they deny."""
    suspect: dict[str, bool] = {}  # a file may hold thousands of objects
    for _, item in facts.inventory.objects():
        path = item.position.path
        if path not in suspect:
            suspect[path] = _SUSPECT.search(facts.tree.text(path) or "") is not None
        if suspect[path]:
            yield from _rewritten(facts, item)
    for _, item in facts.of_kind("HelmRelease"):
        if item.group == HELM_GROUP:
            yield from _switches(facts, item, get(item.raw, "spec", "values"), ("spec", "values"))


def _rewritten(facts: Facts, item: ObjectRef) -> Iterator[Finding]:
    document = facts.document(item.position)
    if document is None:
        return
    raw = _read_plain(document.text).get(document.index)
    is_release = item.kind == "HelmRelease"
    for keys, written, read in _pairs(document.value, raw, ()):
        if keys[0] == "metadata":
            continue  # kustomize keeps labels and annotations as they are written
        meaning = _meaning(written, read, keys, is_release=is_release)
        if meaning:
            message = f"`{keys[-1]}` of {item} is written `{written}`, but read as `{meaning}`"
            yield make_finding("rewritten-value", message, document.locate(*keys))


@lru_cache(maxsize=4)
def _read_plain(text: str) -> dict[int, Json]:
    documents, _ = parse_documents("", text, _Plain)
    return {document.index: document.value for document in documents}


def _pairs(value: Json, raw: Json, keys: _Keys) -> Iterator[tuple[_Keys, str, Json]]:
    """Yield every unquoted scalar as written and as read."""
    if isinstance(raw, dict) and isinstance(value, dict):
        for key, item in raw.items():
            yield from _pairs(value.get(key), item, (*keys, key))
    elif isinstance(raw, list) and isinstance(value, list):
        for index, (item, other) in enumerate(zip(raw, value, strict=False)):
            yield from _pairs(other, item, (*keys, index))
    elif isinstance(raw, _Plain) and keys:
        yield keys, raw, value


def _meaning(written: str, read: Json, keys: _Keys, *, is_release: bool) -> str:
    """Return what a scalar becomes; empty where that is what was meant."""
    if isinstance(read, str):
        return f"{written}T00:00:00Z" if is_date(written) and ":" not in written else ""
    if isinstance(read, bool) or not isinstance(read, (int, float)):
        return ""
    number = f"{read:g}" if isinstance(read, float) else str(read)
    name = str(keys[-1])
    is_version = is_release and name in _VERSIONS and keys[:2] == ("spec", "values")
    is_octal = _ZEROS.match(written) and not name.lower().endswith("mode") and read >= _MIN_OCTAL
    return number if (is_version or is_octal) and number != written else ""


def _switches(facts: Facts, item: ObjectRef, value: Json, keys: _Keys) -> Iterator[Finding]:
    for key, inner in children(value):
        place = (*keys, key)
        if isinstance(inner, (dict, list)) and key not in _PLAIN_ENVIRONMENTS:
            yield from _switches(facts, item, inner, place)
        elif key in _SWITCHES and isinstance(inner, str) and inner.lower() in _FALSE_WORDS:
            name = ".".join(map(str, place[2:]))
            message = f"`{name}` of {item} is the text `{inner}`, which a chart takes for true"
            yield make_finding("switch-is-text", message, facts.locate(item.position, *place))
