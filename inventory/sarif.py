"""Findings in SARIF 2.1.0, the form that code hosts show beside the lines.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from inventory.model import Finding, Json, JsonObject, Severity
from inventory.rules import RULES, Rule

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def build_sarif(version: str) -> JsonObject:
    """Return one SARIF log with one run that has no results yet.

    Args:
        version: The tool's own version.
    """
    rules: list[Json] = [_rule(rule) for rule in RULES.values()]
    driver = {
        "name": "talos-lifecycle",
        "semanticVersion": version,
        "rules": rules,
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"ROOT": {"description": {"text": "the repository"}}},
                "results": [],
            }
        ],
    }


def sarif_results(
    findings: Iterable[Finding], accepted: Iterable[Finding] = (), reasons: Iterable[str] = ()
) -> Iterator[JsonObject]:
    """Yield the run's results one by one: all at once, tens of thousands take much memory.

    Args:
        findings: What is to be shown.
        accepted: Findings that the user accepts; they are listed as suppressed.
        reasons: Why, one for each of `accepted`.
    """
    seen: Counter[str] = Counter()
    for finding in findings:
        yield _result(finding, seen)
    for finding, reason in zip(accepted, reasons, strict=True):
        yield {
            **_result(finding, seen),
            "suppressions": [{"kind": "external", "justification": reason}],
        }


def fingerprint(finding: Finding) -> str:
    """Return what stays the same when lines move: rule, file and message."""
    text = f"{finding.id}\0{finding.position.path}\0{finding.message}"
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:32]


def _rule(rule: Rule) -> JsonObject:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.id.replace("-", " ")},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": f"{rule.repair}\n\nExample:\n{rule.example}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _uri(path: str) -> str:
    """Return a relative reference; file names may hold any byte."""
    return quote(path.encode("utf-8", "surrogateescape"))


def _result(finding: Finding, seen: Counter[str]) -> dict[str, Json]:
    position = finding.position
    mark = fingerprint(finding)
    seen[mark] += 1  # hosts show one alert a fingerprint
    mark += f":{seen[mark]}" if seen[mark] > 1 else ""
    hint = f" (hint: {finding.hint})" if finding.hint else ""
    return {
        "ruleId": finding.id,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message + hint},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(position.path), "uriBaseId": "ROOT"},
                    "region": {"startLine": position.line, "startColumn": position.column},
                }
            }
        ],
        "partialFingerprints": {"talosLifecycle/v1": mark},
    }
