"""Kubernetes documents that a step applies, and whether the cluster has them already."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from lifecycle.clock import Clock
from lifecycle.drivers.documents import Json, JsonObject, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject, Selection
from lifecycle.engine import RetryPolicy, call_with_retry
from lifecycle.errors import NotFoundError, TooManyRequestsError, UnavailableError
from lifecycle.world.cluster_access import ClusterAccess

__all__ = ["apply_all", "describe_missing", "find_differing", "own_by_helm", "with_encoded_data"]

_AT_ONCE = 8  # arbitrary: hides the round trip without crowding a small API server
# What the next request may not meet. It may have been done, which apply does not mind.
_PASSING = (TooManyRequestsError, UnavailableError)
_POLICY = RetryPolicy(attempts=4, total_s=60.0, first_wait_s=1.0, longest_wait_s=8.0)
_FLUX_GROUP = ".toolkit.fluxcd.io"  # of whose kinds every layer asks
_SHOWN = 4  # names that fit into a line of the live table

# What must exist before the rest can be created, as Flux's and Helm's own order has it.
_FIRST_KINDS = ("CustomResourceDefinition", "Namespace", "ServiceAccount", "ConfigMap", "Secret")


async def find_differing(access: ClusterAccess, documents: Sequence[JsonObject]) -> tuple[str, ...]:
    """Name the documents that the cluster lacks, or whose data, spec images or labels differ.

    One list a kind. Only what a document carries itself is compared: `data` of ConfigMaps and
    Secrets, images of workloads; everything else counts as there when it exists, since its
    later owner (Flux, Helm) keeps it in shape.
    """
    by_kind: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
    for document in documents:
        by_kind[(text_at(document, "apiVersion"), text_at(document, "kind"))].append(document)
    found = await asyncio.gather(*(_find_live(access, *kind) for kind in by_kind))
    live = {key: item for part in found for key, item in part.items()}
    return tuple(
        str(KubernetesObject(document).ref)
        for document in documents
        if _differs(document, live.get(_key_of(document)))
    )


class Appliance(Protocol):
    """What applying takes of a `World`."""

    @property
    def access(self) -> ClusterAccess:
        """The cluster's API."""
        ...

    @property
    def clock(self) -> Clock:
        """The run's time."""
        ...


async def apply_all(world: Appliance, documents: Sequence[JsonObject]) -> None:
    """Apply by server-side apply, what others need first; safe to repeat.

    Each object is tried again a few times where its request was refused for now or its answer got
    lost, through another API server if need be: among a hundred requests one or the other fails.

    Raises:
        ApiError: as `Kubernetes.apply`; what was applied before it stays.
    """
    limit = asyncio.Semaphore(_AT_ONCE)

    async def apply(document: JsonObject) -> None:
        async def attempt() -> None:
            await (await world.access.api()).apply(document)

        async with limit:
            await call_with_retry(attempt, on=_PASSING, clock=world.clock, policy=_POLICY)

    for kind in (*_FIRST_KINDS, ""):
        chosen = [d for d in documents if _rank_of(d) == kind]
        await asyncio.gather(*(apply(document) for document in chosen))


def describe_missing(names: Sequence[str], total: int) -> str:
    """Say how many are missing, and the first few by name."""
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} of {total} missing: {shown}{more}"


def own_by_helm(document: JsonObject, *, release: str, namespace: str) -> JsonObject:
    """Add the metadata by which Helm takes an existing object into its release.

    Without it a later install fails with `invalid ownership metadata` (helm,
    pkg/action/validate.go).
    """
    metadata = object_at(document, "metadata")
    labels = {**object_at(metadata, "labels"), "app.kubernetes.io/managed-by": "Helm"}
    annotations = {
        **object_at(metadata, "annotations"),
        "meta.helm.sh/release-name": release,
        "meta.helm.sh/release-namespace": namespace,
    }
    return {**document, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def with_encoded_data(document: JsonObject) -> JsonObject:
    """Move a Secret's `stringData` into `data`, as the API server would."""
    clear = object_at(document, "stringData")
    if text_at(document, "kind") != "Secret" or not clear:
        return document
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in clear.items()}
    kept = {key: value for key, value in document.items() if key != "stringData"}
    return {**kept, "data": {**object_at(document, "data"), **encoded}}


def digest_of(value: Json) -> str:
    """Return a digest of a JSON value, the same for the same content."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


async def _find_live(
    access: ClusterAccess, api_version: str, kind: str
) -> Mapping[tuple[str, str, str, str], JsonObject]:
    if api_version.partition("/")[0].endswith(_FLUX_GROUP):
        items = await access.mirror.list(api_version, kind)
        return {_key_of(item.raw): item.raw for item in items}
    # Helm keeps each release, whole, in Secrets; nothing here ever asks for one of those.
    fields = "type!=helm.sh/release.v1" if (api_version, kind) == ("v1", "Secret") else ""
    try:
        items = (await (await access.api()).list(Selection(api_version, kind, fields=fields))).items
    except NotFoundError:
        return {}
    return {_key_of(item.raw): item.raw for item in items}


def _key_of(document: JsonObject) -> tuple[str, str, str, str]:
    item = KubernetesObject(document)
    return (item.api_version, item.kind, item.namespace, item.name)


def _rank_of(document: JsonObject) -> str:
    kind = text_at(document, "kind")
    return kind if kind in _FIRST_KINDS else ""


def _differs(wanted: JsonObject, live: JsonObject | None) -> bool:
    if live is None:
        return True
    if text_at(wanted, "kind") in {"ConfigMap", "Secret"}:
        held, given = object_at(live, "data"), object_at(with_encoded_data(wanted), "data")
        return any(held.get(key) != value for key, value in given.items())
    return bool(set(_images_of(wanted)) - set(_images_of(live)))


def _images_of(document: JsonObject) -> Iterable[str]:
    template = object_at(document, "spec", "template", "spec")
    for field in ("containers", "initContainers"):
        containers = template.get(field)
        if isinstance(containers, Sequence) and not isinstance(containers, str):
            yield from (text_at(container, "image") for container in containers)
