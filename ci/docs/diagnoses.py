"""The page of diagnoses: the catalogue of failure signatures."""

from __future__ import annotations

import re

from ci.docs.markdown import escape
from lifecycle.diagnosis import CATALOGUE, Signature

__all__ = ["make_diagnoses"]

# Where a thought comes from stands in the code for its developers; readers cannot look it up.
_REPORTS = re.compile(r"[;,]? *\b(?:pain|gotcha) \d+|[;,]? *\(?cluster-repos[^;]*")
_FIELD = re.compile(r"`?(?<!\{)\{(\w+)\}`?")


def make_diagnoses() -> str:
    """Return the page of diagnoses."""
    head = (
        "# Diagnoses\n\n"
        "After a failed step or gate the run looks for the first cause: from the component over"
        " its source, what it depends on, its release, workload and pod to the claim, Secret,"
        " kind, webhook, node or machine that is wrong.\n"
        "Each cause is told below the error as `cause:`, how it was found, and `hint:`; with"
        " `--json` it is in `diagnoses` of the failure, where `signature` is a name of this page,"
        " and `invoke status` shows it again.\n"
        "The look takes at most 15 seconds and changes nothing.\n\n"
    )
    return head + "\n".join(_describe(signature) for signature in CATALOGUE)


def _describe(signature: Signature) -> str:
    lines = [
        f"## {signature.id}\n",
        f"{_make_text(signature.cause)}\n",
        f"- Seen in: {signature.seen_in}.",
    ]
    if signature.pattern:
        lines.append(f"- Message: `` {signature.pattern.pattern} ``")
    lines.append(f"- Repair: {_make_text(signature.repair)}")
    origin = _REPORTS.sub("", signature.origin)
    if origin and origin != "found by looking":
        lines.append(f"- Origin: {escape(origin)}.")
    return "\n".join(lines) + "\n"


def _make_text(template: str) -> str:
    """Show fields as placeholders, and doubled braces as what they stand for."""
    shown = _FIELD.sub(r"`<\1>`", template).replace("{{", "{").replace("}}", "}")
    return escape(shown)
