"""The walk from what was asked about to the first cause, over captured objects; and messages.

Each file in `cases` holds objects as the API lists them, what is asked about, what Git says, and
the cause that has to come out; `messages.json` holds messages and the signature each one bears.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest

from lifecycle.diagnosis import CATALOGUE, Diagnosis, Signature
from lifecycle.diagnosis.asking import Room, Subject
from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.explaining import explain_objects, explain_sight, merge_causes
from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.sight import make_sight
from lifecycle.diagnosis.values import Key, clean
from lifecycle.drivers.documents import (
    Json,
    as_object,
    list_at,
    object_at,
    parse_json,
    text_at,
    texts_at,
)
from lifecycle.drivers.kubernetes import KubernetesObject

_FOLDER = Path(__file__).parent / "cases"
_CASES = sorted(path for path in _FOLDER.glob("*.json") if path.name != "messages.json")
_MESSAGES = json.loads((_FOLDER / "messages.json").read_text())
# What the walk itself knows wherever it stands; the rest comes from patterns and call sites.
_KNOWN_EVERYWHERE = {
    *("thing", "kind", "lower_kind", "flux_kind", "namespace", "name", "reason", "place", "again"),
    "component",
}
_GIVEN_BY_WALKS = {
    *("missing", "user", "similar", "chain", "applier", "provider", "accepted", "crd", "version"),
    *("class", "container", "image", "pulled", "ended", "node", "source", "robustness", "address"),
    *("state", "stage", "condition", "service", "claim", "size", "job", "tries"),
}


@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_first_cause_of_a_case(path: Path) -> None:
    """The case's own promise holds: signature, words of the cause, and the way to it."""
    case = parse_json(path.read_bytes())
    found = explain_case(case)
    want = object_at(case, "want")
    diagnosis = found[0] if found else Diagnosis("", (), "")
    way = "\n".join(diagnosis.evidence)

    assert text_at(want, "signature") == diagnosis.signature, diagnosis
    assert text_at(want, "cause") in diagnosis.cause
    assert text_at(want, "command") in diagnosis.command
    assert text_at(want, "component") in {"", diagnosis.component}
    assert [] == [line for line in texts_at(want, "evidence") if line not in way]


def explain_case(case: Json) -> tuple[Diagnosis, ...]:
    """Explain what a case asks about."""
    objects = [KubernetesObject(as_object(item)) for item in list_at(case, "objects")]
    facts = object_at(case, "facts")
    return explain_objects(
        make_sight(objects),
        Facts(
            owners={
                read_key(list_at({"": pair}, "")[0]): str(list_at({"": pair}, "")[1])
                for pair in list_at(facts, "owners")
            },
            components={
                name: read_key(key) for name, key in object_at(facts, "components").items()
            },
            providers={kind: read_key(key) for kind, key in object_at(facts, "providers").items()},
        ),
        [read_key(list_at(case, "ask"))],
    )


def test_sources_that_nothing_uses_are_no_cause() -> None:
    """The gate does not wait for them, so what keeps it is not hidden behind them."""
    status = {"conditions": [{"type": "Ready", "status": "False", "message": "no such host"}]}
    sources = [
        KubernetesObject(
            {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": kind,
                "metadata": {"name": name, "namespace": "flux-system"},
                "status": status,
            }
        )
        for kind, name in (("GitRepository", "unused"), ("OCIRepository", "manifests"))
    ]
    facts = Facts(idle=frozenset({Key("GitRepository", "flux-system", "unused")}))
    found = explain_sight(make_sight(sources), facts, Subject(Room.SOURCES), ())

    assert ["OCIRepository flux-system/manifests"] == [
        diagnosis.evidence[0].partition(":")[0] for diagnosis in found
    ]


def read_key(value: Json) -> Key:
    """Read a key written as a list of kind, namespace and name."""
    kind, namespace, name = texts_at({"": value}, "")
    return Key(kind, namespace, name)


@pytest.mark.parametrize("case", _MESSAGES, ids=lambda case: case["signature"] or "unknown")
def test_message_bears_its_signature(case: dict[str, object]) -> None:
    """A message of Flux, Helm, the scheduler or the kubelet is known for what it is."""
    match = match_message(str(case["message"]))
    fields = dict(match.fields) if match else {}
    wanted = case["fields"]
    assert isinstance(wanted, dict)

    assert case["signature"] == (match.signature.id if match else "")
    assert wanted == {key: fields[key] for key in wanted}


@pytest.mark.parametrize("signature", CATALOGUE, ids=lambda signature: signature.id)
def test_entry_of_the_catalogue_is_whole(signature: Signature) -> None:
    """Each entry says what, why, what to do and where it is from, with fields that are filled."""
    groups = set(signature.pattern.groupindex) if signature.pattern else set()
    used = {
        name
        for text in (signature.cause, signature.repair)
        for _, name, _, _ in string.Formatter().parse(text)
        if name
    }

    assert signature.seen_in
    assert signature.cause
    assert signature.repair
    assert signature.origin
    assert set() == used - groups - _KNOWN_EVERYWHERE - _GIVEN_BY_WALKS


def test_entries_have_names_of_their_own() -> None:
    """A signature is looked up by its name."""
    names = [signature.id for signature in CATALOGUE]

    assert len(set(names)) == len(names)


def test_one_cause_of_many_is_told_once() -> None:
    """Whoever waits for the same cause is named below it; what most wait for comes first."""
    single = Diagnosis("a typo", ("Kustomization flux-system/a: BuildFailed",), "correct it")
    nearest = Diagnosis("a disk", ("Kustomization flux-system/db: x",), "add one")
    far = Diagnosis("a disk", ("Kustomization flux-system/web: y", "Kustomization db: x"), "add")
    merged = merge_causes([single, nearest, far])

    assert ["a disk", "a typo"] == [diagnosis.cause for diagnosis in merged]
    assert "waiting for the same: Kustomization flux-system/web" == merged[0].evidence[-1]


def test_messages_are_one_printable_line() -> None:
    """What others wrote cannot move the cursor, nor fill the screen."""
    text = clean("one\x1b[2J\ntwo " + "x" * 1000)

    assert text.startswith("one [2J two ")
    assert len(text) < 500
