"""From what a controller made of its copy to the patches that make it so on the server."""

from __future__ import annotations

from collections.abc import Iterator

from lab.kubernetes.controllers.world import is_true
from lab.kubernetes.kinds import Kind
from lab.kubernetes.values import Json, Object, at, text

__all__ = ["list_patches"]

# What of the metadata is a client's to change.
_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")


def list_patches(kind: Kind, live: Object, changed: Object) -> Iterator[tuple[str, Object]]:
    """List the JSON merge patches that lead from one to the other, each with its subresource."""
    apart = {"metadata", "apiVersion", "kind"} | ({"status"} if kind.has_status else set())
    patch = _compare(_without(live, apart), _without(changed, apart))
    metadata = _compare(_keep(live), _keep(changed))
    if kind.resource == "namespaces" and "spec" in patch:
        yield "finalize", {"spec": patch.pop("spec")}
    if kind.resource == "pods" and "nodeName" in at(patch, "spec"):
        yield "binding", {"nodeName": text(changed, "spec", "nodeName")}
        at(patch, "spec").pop("nodeName")
        if not patch["spec"]:
            del patch["spec"]
    if metadata:
        patch["metadata"] = metadata
    if patch:
        yield "", patch
    if kind.has_status:
        status = _compare(at(live, "status"), at(changed, "status"), is_lenient=True)
        if status:
            yield _find_subresource(live, changed), {"status": status}


def _find_subresource(live: Object, changed: Object) -> str:
    for verdict in ("Approved", "Denied"):
        if text(live, "kind") == "CertificateSigningRequest" and (
            is_true(live, verdict) != is_true(changed, verdict)
        ):
            return "approval"
    return "status"


def _without(obj: Object, keys: set[str]) -> Object:
    return {key: value for key, value in obj.items() if key not in keys}


def _keep(obj: Object) -> Object:
    metadata = at(obj, "metadata")
    return {key: metadata[key] for key in _METADATA if key in metadata}


def _compare(live: Object, changed: Object, *, is_lenient: bool = False) -> Object:
    """Build the merge patch; leniently, what is empty and what is not there are the same.

    Typed statuses come back without their empty fields.
    """
    patch: Object = {}
    for key, value in changed.items():
        if key not in live:
            if value or not is_lenient:
                patch[key] = value
            continue
        before = live[key]
        if isinstance(before, dict) and isinstance(value, dict):
            inner = _compare(before, value, is_lenient=is_lenient)
            if inner:
                patch[key] = inner
        elif before != value and not (is_lenient and _strip(before) == _strip(value)):
            patch[key] = value
    for key, before in live.items():
        if key not in changed and (before or not is_lenient):
            patch[key] = None
    return patch


def _strip(value: Json) -> Json:
    """Leave out every empty field; `False` and 0 of a condition or container are none."""
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if item or item is False}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value
