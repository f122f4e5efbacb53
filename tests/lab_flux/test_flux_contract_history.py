"""One suite for two Fluxes, the lab's and real controllers: the history of a Kustomization."""

from __future__ import annotations

from lab.kubernetes.values import Object, maps, number, text
from tests.lab_flux.flux_contract import Flux, has_applied
from tests.lab_flux.flux_world import has_failed

_JOB: Object = {
    "apiVersion": "longhorn.io/v1beta2",
    "kind": "RecurringJob",
    "metadata": {"name": "trim", "namespace": "default"},
    "spec": {"cron": "0 2 * * *"},
}


def _read(obj: Object) -> list[tuple[str, int, str]]:
    """What came of it, how often, and at which revision; the newest first."""
    return [
        (
            text(entry, "lastReconciledStatus"),
            number(entry, "totalReconciliations"),
            text(entry, "metadata", "revision"),
        )
        for entry in maps(obj, "status", "history")
    ]


async def test_attempts_are_counted_by_build_and_outcome(flux: Flux) -> None:
    """Each outcome of each build has one entry, the last in front; a failed build has none."""
    good = flux.settings("one", key="value")
    first = await flux.push(one=good)
    await flux.begin("a", "./a", retryInterval="2s")
    done = await flux.until("a", has_applied(first))
    entries = maps(done, "status", "history")
    assert [("ReconciliationSucceeded", 1, f"main@sha1:{first}")] == _read(done)
    assert text(entries[0], "firstReconciled") == text(entries[0], "lastReconciled")
    assert text(entries[0], "digest").startswith("sha256:")

    second = await flux.push(job=_JOB)
    failed = await flux.until("a", has_failed)
    assert [outcome for outcome, _, _ in _read(failed)] == [
        "ReconciliationFailed",
        "ReconciliationSucceeded",
    ]
    assert f"main@sha1:{second}" == _read(failed)[0][2]

    await flux.push(kustomization={"resources": ["none.yaml"]})
    unbuilt = await flux.until("a", _has_not_built)
    assert ["ReconciliationFailed", "ReconciliationSucceeded"] == [
        outcome for outcome, _, _ in _read(unbuilt)
    ]

    third = await flux.push(kustomization={"resources": ["one.yaml"]})
    mended = await flux.until("a", has_applied(third))
    assert ("ReconciliationSucceeded", 2, f"main@sha1:{third}") == _read(mended)[0]
    assert text(entries[0], "digest") == text(maps(mended, "status", "history")[0], "digest")


def _has_not_built(obj: Object) -> bool:
    conditions = maps(obj, "status", "conditions")
    return any(text(condition, "reason") == "BuildFailed" for condition in conditions)
