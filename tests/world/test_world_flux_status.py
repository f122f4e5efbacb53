"""What a gate reads from the status of Flux objects, case by case."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lifecycle.drivers.documents import JsonObject, as_object, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.flux_status import (
    Readiness,
    State,
    read_kustomization,
    read_release,
    read_source,
)

_CASES = sorted((Path(__file__).parent / "cases" / "flux-status").glob("*.yaml"))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.stem)
def test_status_means(case: Path) -> None:
    """Each status means what the case says, with the cause in a line."""
    document = as_object(yaml.safe_load(case.read_text(encoding="utf-8")))
    expected = Readiness(State(text_at(document, "state")), text_at(document, "message"))

    assert expected == _read(document)


def test_object_that_is_not_there() -> None:
    """What Flux has not made yet is waited for."""
    absent = Readiness(State.WAITING, "not there")

    assert [absent] * 3 == [read_kustomization(None), read_release(None), read_source(None)]


def _read(document: JsonObject) -> Readiness:
    item = KubernetesObject(object_at(document, "object"))
    commit = text_at(document, "commit")
    match item.kind:
        case "Kustomization":
            return read_kustomization(item, commit=commit)
        case "HelmRelease":
            return read_release(item)
        case _:
            return read_source(item, commit=commit)
