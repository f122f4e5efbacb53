"""What a controller made of its copy, as the requests that make it so on a real server."""

from __future__ import annotations

import pytest

from lab.kubernetes.kinds import BUILTIN, Kind
from lab.kubernetes.values import Object
from lab.real.differences import list_patches

KINDS = {kind.kind: kind for kind in BUILTIN if kind.group in {"", "certificates.k8s.io"}}


def thing(kind: str, **fields: object) -> Object:
    """An object of a kind."""
    made: Object = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
    made.update(fields)  # type: ignore[arg-type]  # tests write JSON
    return made


def patches(kind: Kind, live: Object, changed: Object) -> list[tuple[str, Object]]:
    """The patches, in their order."""
    return list(list_patches(kind, live, changed))


def test_spec_and_status_go_their_own_ways() -> None:
    """What lies under a subresource is not sent with the rest."""
    live = thing("Service", spec={"a": 1, "b": 2}, status={})
    changed = thing("Service", spec={"a": 1}, status={"loadBalancer": {"ingress": [1]}})

    assert [
        ("", {"spec": {"b": None}}),
        ("status", {"status": {"loadBalancer": {"ingress": [1]}}}),
    ] == patches(KINDS["Service"], live, changed)


def test_pod_is_bound_not_changed() -> None:
    """A node for a pod is a binding: its spec cannot be changed."""
    live, changed = thing("Pod", spec={}), thing("Pod", spec={"nodeName": "n"})

    assert [("binding", {"nodeName": "n"})] == patches(KINDS["Pod"], live, changed)


def test_approval_has_its_own_subresource() -> None:
    """A certificate request is approved, and issued, by different subresources."""
    approved: Object = {"conditions": [{"type": "Approved", "status": "True"}]}
    live = thing("CertificateSigningRequest", status={})
    changed = thing("CertificateSigningRequest", status=approved)
    issued = thing("CertificateSigningRequest", status={**approved, "certificate": "x"})
    kind = KINDS["CertificateSigningRequest"]

    assert ["approval"] == [name for name, _ in patches(kind, live, changed)]
    assert ["status"] == [name for name, _ in patches(kind, changed, issued)]


@pytest.mark.parametrize(
    ("live", "changed"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 0, "c": ""}, id="empty-and-not-there"),
        pytest.param({"a": 1, "b": 0}, {"a": 1}, id="empty-and-taken-away"),
        pytest.param(
            {"conditions": [{"type": "T"}]},
            {"conditions": [{"type": "T", "reason": ""}]},
            id="empty-in-a-list",
        ),
    ],
)
def test_empty_fields_of_a_status_make_no_request(live: Object, changed: Object) -> None:
    """A typed status comes back without its empty fields: writing them again changes nothing."""
    before, after = thing("Node", status=live), thing("Node", status=changed)

    assert [] == patches(KINDS["Node"], before, after)


def test_empty_label_is_sent() -> None:
    """Outside a status, empty is something: a node's role is a label without a value."""
    live, changed = thing("Node"), thing("Node", metadata={"name": "x", "labels": {"role": ""}})

    assert [("", {"metadata": {"labels": {"role": ""}}})] == patches(KINDS["Node"], live, changed)


def test_what_only_the_server_writes_is_left_out() -> None:
    """Versions and managed fields are never sent back."""
    live = thing("ConfigMap", metadata={"name": "x", "resourceVersion": "1"})
    changed = thing("ConfigMap", metadata={"name": "x", "resourceVersion": "2", "uid": "u"})

    assert [] == patches(KINDS["ConfigMap"], live, changed)
