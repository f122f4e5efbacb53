"""Checks of what SOPS should have encrypted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Finding, Json, JsonObject, Position
from inventory.objects import get_mapping, get_mappings, get_strings, get_text, is_scalar
from inventory.regexes import Pattern, compile_pattern
from inventory.rules import make_finding
from inventory.variables import is_encrypted, is_sops_document

# Keys of Secrets whose values are none: where something is, and who asks.
_HARMLESS: Final = re.compile(
    r"(?:^|[_.-])(?:type|user(?:name)?|(?:plain)?(?:port)?host(?:name)?|plain|port|endpoint|region"
    r"|bucket|database|db|provider)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class CreationRule:
    """One rule of `.sops.yaml`."""

    path: Pattern | None
    keys: Pattern | None
    recipients: frozenset[str] = frozenset()  # age recipients; empty when the rule names none

    def covers(self, path: str) -> bool:
        """Say whether the rule is for a file."""
        return self.path is None or self.path.is_in(path)


def check_secrets(facts: Facts) -> Iterator[Finding]:
    """Yield files in clear text that a creation rule covers, and keys kept beside their lock."""
    rules = creation_rules(facts)
    for path in facts.tree.repository_files():
        rule = next((rule for rule in rules if rule.covers(path)), None)
        if rule is not None:
            yield from _plain(facts, path, rule)
            yield from _recipients(facts, path, rule)
        elif rules:
            yield from _without_rule(facts, path)
    yield from _uncovered(facts, rules)
    for owner, item in facts.inventory.objects():
        if item.kind == "Secret" and item.name == "sops-age":
            message = f"{owner} applies the age key that decrypts the repository: `{item}`"
            yield make_finding("sops-key-in-tree", message, item.position)


def creation_rules(facts: Facts) -> tuple[CreationRule, ...]:
    """Return the rules of `.sops.yaml` in order; the first that covers a file counts."""
    if not facts.tree.is_file(".sops.yaml"):
        return ()
    documents = facts.tree.documents(".sops.yaml")
    return tuple(
        CreationRule(_compile(rule, "path_regex"), _compile(rule, "encrypted_regex"), _age(rule))
        for document in documents[:1]
        for rule in get_mappings(document.value, "creation_rules")
    )


def _compile(rule: JsonObject, key: str) -> Pattern | None:
    text = get_text(rule, key)
    return compile_pattern(text) if text else None


def _age(rule: JsonObject) -> frozenset[str]:
    parts = get_text(rule, "age").replace("\n", ",").split(",")
    groups = get_mappings(rule, "key_groups")
    parts += [text for group in groups for text in get_strings(group, "age")]
    return frozenset(part.strip() for part in parts if part.strip())


def _recipients(facts: Facts, path: str, rule: CreationRule) -> Iterator[Finding]:
    for document in facts.tree.original_documents(path):
        if not rule.recipients or not is_sops_document(document.value):
            continue
        used = {get_text(item, "recipient") for item in get_mappings(document.value, "sops", "age")}
        if used and not rule.recipients <= used:
            lacking = ", ".join(sorted(rule.recipients - used))
            message = f"file is not encrypted for a recipient of .sops.yaml: `{lacking}`"
            yield make_finding("foreign-recipient", message, document.locate("sops", "age"))
        if used - rule.recipients:
            others = ", ".join(sorted(used - rule.recipients))
            message = f"file is encrypted for a recipient that .sops.yaml does not name: `{others}`"
            yield make_finding("unknown-recipient", message, document.locate("sops", "age"))


def _without_rule(facts: Facts, path: str) -> Iterator[Finding]:
    for document in facts.tree.original_documents(path):
        if is_sops_document(document.value):
            message = "file is encrypted but no creation rule covers it"
            yield make_finding("encrypted-without-rule", message, document.locate("sops"))
            return


def _uncovered(facts: Facts, rules: tuple[CreationRule, ...]) -> Iterator[Finding]:
    for _, item in facts.inventory.objects():
        if item.kind != "Secret" or item.group or any(r.covers(item.position.path) for r in rules):
            continue
        for field in ("data", "stringData"):
            for key, value in get_mapping(item.raw, field).items():
                # A reference is filled in by Flux; only what is written here is a secret in Git.
                is_plain = value and not is_encrypted(value) and "${" not in str(value)
                if is_plain and not _HARMLESS.search(key):
                    message = f"{item} holds plain text and no creation rule covers it: `{key}`"
                    place = facts.locate(item.position, field, key)
                    yield make_finding("uncovered-secret", message, place)
                    break


def _plain(facts: Facts, path: str, rule: CreationRule) -> Iterator[Finding]:
    for document in facts.tree.original_documents(path):
        if is_sops_document(document.value) or not isinstance(document.value, Mapping):
            continue
        keys = next(_plain_keys(document.value, rule.keys, is_inside=rule.keys is None), None)
        if keys is not None:
            line = document.locate(*keys)
            message = f"file must be encrypted but `{'.'.join(map(str, keys))}` is plain text"
            yield make_finding("plaintext-secret", message, Position(path, line.line, line.column))
            return


def _plain_keys(
    value: Json, pattern: Pattern | None, *, is_inside: bool
) -> Iterator[tuple[str | int, ...]]:
    """Yield the keys of readable values that the rule wants encrypted."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            matches = is_inside or (pattern is not None and pattern.is_in(key))
            for keys in _plain_keys(item, pattern, is_inside=matches):
                yield (key, *keys)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for keys in _plain_keys(item, pattern, is_inside=is_inside):
                yield (index, *keys)
    elif is_inside and is_scalar(value) and value not in (None, "") and not is_encrypted(value):
        yield ()
