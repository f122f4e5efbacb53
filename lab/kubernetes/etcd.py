"""Objects as an API server keeps them in etcd: one key each, JSON, its revision beside it.

Keys are those of kube-apiserver (`--etcd-prefix /registry`), which reads JSON as well as the
protobuf that it would write itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from lab.kubernetes.registry import Registry, is_established, read_crd
from lab.kubernetes.store import Store
from lab.kubernetes.values import Object, name_of, namespace_of, text
from lab.snapshots import StoredKey

__all__ = ["dump_store", "load_store"]

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
# Resources that kube-apiserver stores elsewhere than under their own name.
_FOLDERS: Mapping[str, str] = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    _CRDS: "apiextensions.k8s.io/customresourcedefinitions",
    "apiservices.apiregistration.k8s.io": "apiregistration.k8s.io/apiservices",
}


def dump_store(store: Store, registry: Registry) -> Iterator[StoredKey]:
    """Write every object as a key of etcd."""
    for resource in store.resources():
        kind = registry.of_resource(resource)
        folder = _FOLDERS.get(resource, kind.plural if kind else resource)
        if kind is not None and kind.crd:
            folder = f"{kind.group}/{kind.plural}"
        for obj in store.all(resource):
            metadata = obj["metadata"]
            if not isinstance(metadata, dict):
                continue
            kept = {key: value for key, value in metadata.items() if key != "resourceVersion"}
            path = "/".join(filter(None, (folder, namespace_of(obj), name_of(obj))))
            value = json.dumps({**obj, "metadata": kept}, separators=(",", ":"))
            revision = int(text(obj, "metadata", "resourceVersion"))
            yield StoredKey(f"/registry/{path}", value.encode(), revision)


def load_store(keys: Sequence[StoredKey], store: Store, registry: Registry) -> None:
    """Put the objects of a snapshot into an empty store, under the revisions that they had.

    Kinds whose CRD is in the snapshot are served from then on; keys of kinds that nothing serves
    are left out, as no API server would ever show them.

    Raises:
        ValueError: a value is no JSON object.
    """
    objects = sorted(((key.revision, _read_object(key)) for key in keys), key=lambda pair: pair[0])
    for _, obj in objects:
        if text(obj, "kind") == "CustomResourceDefinition" and is_established(obj):
            registry.add(read_crd(obj))
    for revision, obj in objects:
        served = registry.find(text(obj, "apiVersion"), text(obj, "kind"))
        if served is not None:
            store.version = revision - 1
            store.put(served.kind.resource, obj)


def _read_object(key: StoredKey) -> Object:
    try:
        value = json.loads(key.value)
    except ValueError as error:
        raise ValueError(f"not an object of Kubernetes: `{key.key}`: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        raise ValueError(f"not an object of Kubernetes: `{key.key}`")  # noqa: TRY004 # of the data
    return value
