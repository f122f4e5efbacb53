"""Patches and their selectors, as kustomize applies them."""

from __future__ import annotations

import pytest

from inventory import Json, JsonObject
from inventory.patches import (
    PatchError,
    apply_operation,
    matches_labels,
    matches_selector,
    read_patches,
)

OBJECT: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "a", "labels": {"tier": "front"}},
    "spec": {"replicas": 1, "containers": [{"name": "one", "image": "x"}], "args": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ("", True),
        ("tier=front", True),
        ("tier==front,!other", True),
        ("tier!=front", False),
        ("tier in (back, front)", True),
        ("tier notin (front)", False),
        ("substitution.flux.home.arpa/disabled notin (true)", True),
        ("other", False),
        ("tier,other!=x", True),
    ],
)
def test_label_selectors(selector: str, *, selects: bool) -> None:
    """Kubernetes' selector text is understood, absent labels included."""
    assert selects == matches_labels(selector, {"tier": "front"})


@pytest.mark.parametrize(
    ("target", "selects"),
    [
        ({"kind": "Deployment"}, True),
        ({"kind": "Deploy"}, False),
        ({"group": "apps", "version": "v1", "name": "w.*"}, True),
        ({"name": "(api|web)", "namespace": "b"}, False),
        ({"labelSelector": "tier=front", "annotationSelector": "x"}, False),
        ({"name": "[broken"}, False),
    ],
)
def test_targets_are_anchored_expressions(target: JsonObject, *, selects: bool) -> None:
    """Each field of a target must match as a whole."""
    assert selects == matches_selector(target, OBJECT)


def patched(text: str, target: JsonObject | None = None) -> Json:
    """Apply one patch."""
    (patch,) = read_patches(text, target or {})
    return patch.apply(OBJECT)


def test_strategic_merge_changes_named_items_and_removes_nulls() -> None:
    """Lists of named items merge by name, null deletes, and identity survives a target."""
    result = patched(
        "metadata: {name: ignored, labels: {tier: null, new: x}}\n"
        "spec: {replicas: null, containers: [{name: one, image: y}, {name: two}], args: [c]}\n",
        {"kind": "Deployment"},
    )
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "a", "labels": {"new": "x"}},
        "spec": {"containers": [{"name": "one", "image": "y"}, {"name": "two"}], "args": ["c"]},
    }

    assert wanted == result
    assert OBJECT["spec"] == {
        "replicas": 1,
        "containers": [{"name": "one", "image": "x"}],
        "args": ["a", "b"],
    }


def test_delete_directive_removes_the_object() -> None:
    """`$patch: delete` takes the object out of the build."""
    assert patched("$patch: delete\nkind: Deployment\n", {"kind": "Deployment"}) is None


@pytest.mark.parametrize(
    ("operation", "keys", "value"),
    [
        ({"op": "add", "path": "/spec/new", "value": 1}, ("spec", "new"), 1),
        ({"op": "add", "path": "/spec/args/-", "value": "c"}, ("spec", "args"), ["a", "b", "c"]),
        ({"op": "add", "path": "/spec/args/0", "value": "c"}, ("spec", "args"), ["c", "a", "b"]),
        ({"op": "replace", "path": "/spec/args/1", "value": "c"}, ("spec", "args"), ["a", "c"]),
        ({"op": "remove", "path": "/spec/args/0"}, ("spec", "args"), ["b"]),
        ({"op": "move", "from": "/spec/args", "path": "/spec/x"}, ("spec", "x"), ["a", "b"]),
        ({"op": "copy", "from": "/kind", "path": "/spec/a~1b"}, ("spec", "a/b"), "Deployment"),
        ({"op": "test", "path": "/kind", "value": "Deployment"}, ("kind",), "Deployment"),
    ],
)
def test_operations(operation: JsonObject, keys: tuple[str, ...], value: Json) -> None:
    """JSON6902 operations do what the standard says."""
    result = apply_operation(OBJECT, operation)
    for key in keys:
        assert isinstance(result, dict)
        result = result[key]

    assert value == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/spec/absent", "value": 1},
        {"op": "remove", "path": "/spec/args/9"},
        {"op": "add", "path": "/spec/absent/deep", "value": 1},
        {"op": "add", "path": "spec", "value": 1},
        {"op": "test", "path": "/kind", "value": "Other"},
        {"op": "dance", "path": "/kind"},
    ],
)
def test_operations_that_do_not_fit_are_refused(operation: JsonObject) -> None:
    """A path that is not there is an error, as in kustomize."""
    with pytest.raises(PatchError):
        apply_operation(OBJECT, operation)


@pytest.mark.parametrize("text", ["just text", "a: [", "- a\n--- \nfoo"])
def test_unreadable_patches_are_refused(text: str) -> None:
    """A patch is an object or a list of operations."""
    with pytest.raises(PatchError):
        read_patches(text, {})
