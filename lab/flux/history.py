"""`status.history` of a Kustomization: what attempts came to, newest first (Flux 2.7 and later)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from lab.flux.durations import format_duration
from lab.kubernetes.values import Json, Object, grow, maps, number, text

__all__ = ["digest_objects", "record_attempt"]

_KEPT = 5  # HistoryMaxSize of fluxcd/pkg apis/meta


def digest_objects(objects: Sequence[Object]) -> str:
    """The digest of what was built, as the history tells builds apart."""
    return f"sha256:{hashlib.sha256(json.dumps(objects).encode()).hexdigest()}"


def record_attempt(
    obj: Object, digest: str, outcome: str, *, revision: str, now: str, took_s: float
) -> None:
    """Put what an attempt came to in front; the same outcome of the same build is counted on."""
    status = grow(obj, "status")
    entries = [*maps(status, "history")]
    same = [
        entry
        for entry in entries
        if (text(entry, "digest"), text(entry, "lastReconciledStatus")) == (digest, outcome)
    ]
    before = same[0] if same else {}
    newest: Object = {
        "digest": digest,
        "firstReconciled": text(before, "firstReconciled") or now,
        "lastReconciled": now,
        "lastReconciledDuration": format_duration(took_s),
        "lastReconciledStatus": outcome,
        "metadata": {"revision": revision},
        "totalReconciliations": number(before, "totalReconciliations") + 1,
    }
    kept: list[Json] = [newest, *(entry for entry in entries if entry is not before)]
    status["history"] = kept[:_KEPT]
