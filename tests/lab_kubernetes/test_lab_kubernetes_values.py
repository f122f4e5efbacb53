"""The pure parts: selectors, patches, protobuf, and what a list is keyed by."""

from __future__ import annotations

import pytest

from lab.kubernetes.errors import BadRequestError, InvalidError
from lab.kubernetes.fields import paths_of, read_fields, write_fields
from lab.kubernetes.http.protobuf import MAGIC, read_message
from lab.kubernetes.kinds import BUILTIN
from lab.kubernetes.lists import list_rule
from lab.kubernetes.patching import patch_json, patch_strategic
from lab.kubernetes.selectors import matches_fields, matches_labels, parse_labels
from lab.kubernetes.values import Object

RULE = list_rule(next(kind for kind in BUILTIN if kind.kind == "Deployment"))


@pytest.mark.parametrize(
    ("selector", "accepted"),
    [
        ("app=web", True),
        ("app==web,tier!=db", True),
        ("app in (web, api),tier notin (db)", True),
        ("app,!gone", True),
        ("app!=web", False),
        ("gone", False),
        ("tier in (db)", False),
    ],
)
def test_label_selectors(selector: str, *, accepted: bool) -> None:
    """Equality, sets and existence mean what kubectl means by them."""
    labels = {"app": "web", "tier": "front"}

    assert accepted is matches_labels(parse_labels(selector), labels)


def test_field_selectors() -> None:
    """Any path may be compared; a missing one is empty."""
    pod: Object = {"metadata": {"name": "a"}, "spec": {"nodeName": "n", "hostNetwork": True}}

    assert matches_fields("metadata.name=a,spec.nodeName!=m,spec.hostNetwork=true", pod)
    assert not matches_fields("status.phase=Running", pod)


def test_a_selector_that_means_nothing_is_refused() -> None:
    """Nonsense is 400, not everything."""
    with pytest.raises(BadRequestError):
        parse_labels("a b c")


def test_json_patch_needs_its_paths() -> None:
    """Removing what is not there fails, and so does a test that does not hold."""
    with pytest.raises(InvalidError):
        patch_json({"a": 1}, [{"op": "remove", "path": "/b"}])
    with pytest.raises(InvalidError):
        patch_json({"a": 1}, [{"op": "test", "path": "/a", "value": 2}])


def test_strategic_merge_keeps_other_items() -> None:
    """Keyed lists merge by key, and `$patch: delete` takes one item out."""
    live: Object = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    patch: Object = {"containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}]}

    assert {"containers": [{"name": "a", "image": "2"}]} == patch_strategic(live, patch, RULE)


def test_owned_fields_survive_their_wire_form() -> None:
    """A set of paths written as FieldsV1 and read again is the same."""
    paths = paths_of(
        {
            "metadata": {"name": "x", "labels": {"a": "b"}, "finalizers": ["f"]},
            "spec": {
                "template": {"spec": {"containers": [{"name": "c", "args": ["x"], "env": []}]}},
                "empty": {},
            },
        },
        RULE,
    )

    assert paths == read_fields(write_fields(paths))
    assert ("f:metadata", "f:name") not in paths


def test_protobuf_is_read() -> None:
    """An approval as kubectl sends it: envelope, metadata, status conditions."""
    condition = b"\x0a\x08Approved" + b"\x32\x04True"
    status = b"\x0a" + bytes([len(condition)]) + condition
    raw = b"\x0a\x03\x0a\x01a" + b"\x1a" + bytes([len(status)]) + status
    kind = b"CertificateSigningRequest"
    about = b"\x0a\x01v" + b"\x12" + bytes([len(kind)]) + kind
    envelope = b"\x0a" + bytes([len(about)]) + about + b"\x12" + bytes([len(raw)]) + raw
    expected: Object = {
        "apiVersion": "v",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "a"},
        "status": {"conditions": [{"type": "Approved", "status": "True"}]},
    }

    assert expected == read_message(MAGIC + envelope)


def test_damaged_protobuf_is_refused() -> None:
    """What cannot be read is 400."""
    with pytest.raises(BadRequestError):
        read_message(MAGIC + b"\xff")
