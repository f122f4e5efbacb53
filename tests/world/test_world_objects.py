"""Whether the cluster has what a step would apply."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import cast

import pytest

from lifecycle.drivers.documents import Json, JsonObject, text_at
from lifecycle.errors import ApiError, InvalidError, TooManyRequestsError, UnavailableError
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.objects import (
    apply_all,
    describe_missing,
    find_differing,
    own_by_helm,
    with_encoded_data,
)
from tests.engine.engine_fakes import JumpingClock
from tests.world.world_values import FakeAccess


def document(kind: str, name: str, *, api_version: str = "v1", **content: Json) -> JsonObject:
    """A document in the namespace `a`."""
    metadata: JsonObject = {"name": name, "namespace": "a"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def workload(*images: str, first: str = "") -> JsonObject:
    """A Deployment with these images."""
    containers: Json = [{"name": str(n), "image": image} for n, image in enumerate(images)]
    spec: JsonObject = {"containers": containers}
    if first:
        spec = {**spec, "initContainers": [{"name": "first", "image": first}]}
    content: JsonObject = {"template": {"spec": spec}}
    return document("Deployment", "it", api_version="apps/v1", spec=content)


async def differing(live: list[JsonObject], *wanted: JsonObject) -> tuple[str, ...]:
    """What of `wanted` a cluster with `live` lacks."""
    return await find_differing(FakeAccess(live).as_access, wanted)


async def test_what_is_not_there_is_named() -> None:
    """Kinds that the cluster does not serve yet count as missing, too."""
    wanted = (document("ConfigMap", "x"), document("Widget", "y", api_version="b.example/v1"))

    assert ("ConfigMap a/x", "Widget a/y") == await differing([], *wanted)
    assert ("Widget a/y",) == await differing([wanted[0]], *wanted)


async def test_name_counts_only_in_its_namespace() -> None:
    """The same name in another namespace is another object."""
    other: JsonObject = {**document("ConfigMap", "x"), "metadata": {"name": "x", "namespace": "b"}}

    assert ("ConfigMap a/x",) == await differing([other], document("ConfigMap", "x"))


async def test_data_is_compared() -> None:
    """A value that differs is named; one that somebody else added is left to them."""
    live = document("ConfigMap", "x", data={"a": "1", "more": "2"})

    assert () == await differing([live], document("ConfigMap", "x", data={"a": "1"}))
    assert ("ConfigMap a/x",) == await differing(
        [live], document("ConfigMap", "x", data={"a": "2"})
    )
    assert ("ConfigMap a/x",) == await differing(
        [live], document("ConfigMap", "x", data={"b": "1"})
    )


async def test_clear_secret_is_compared_as_the_server_keeps_it() -> None:
    """`stringData` is compared by its encoded form."""
    encoded = base64.b64encode(b"value").decode()
    live = document("Secret", "x", data={"key": encoded})

    assert () == await differing([live], document("Secret", "x", stringData={"key": "value"}))
    assert ("Secret a/x",) == await differing(
        [live], document("Secret", "x", stringData={"key": "other"})
    )


async def test_images_are_compared() -> None:
    """A workload of an older version is to be applied again; what was added by others is not."""
    assert () == await differing([workload("a:1", "sidecar:1")], workload("a:1"))
    assert ("Deployment a/it",) == await differing([workload("a:1")], workload("a:2"))
    assert ("Deployment a/it",) == await differing([workload("a:1")], workload("a:1", first="b:1"))


async def test_each_kind_is_listed_once() -> None:
    """However many documents there are of a kind."""
    wanted = [document("ConfigMap", str(number)) for number in range(20)]
    access = FakeAccess(list(wanted))

    assert () == await find_differing(access.as_access, [*wanted, document("Secret", "x")][:20])
    assert [("v1", "ConfigMap")] == access.listed


def test_ownership_keeps_what_was_there() -> None:
    """Helm's metadata is added to a document's own, and the document itself is not changed."""
    plain: JsonObject = {"metadata": {"name": "x", "labels": {"a": "b"}}}

    owned = own_by_helm(plain, release="r", namespace="n")

    assert owned == {
        "metadata": {
            "name": "x",
            "labels": {"a": "b", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "meta.helm.sh/release-name": "r",
                "meta.helm.sh/release-namespace": "n",
            },
        }
    }
    assert plain == {"metadata": {"name": "x", "labels": {"a": "b"}}}


def test_only_secrets_are_encoded() -> None:
    """`data` that is encoded already stays beside it; other kinds are left alone."""
    secret = document("Secret", "x", data={"old": "bw=="}, stringData={"new": "n"})

    assert document("Secret", "x", data={"old": "bw==", "new": "bg=="}) == with_encoded_data(secret)
    assert with_encoded_data(other := document("ConfigMap", "x", stringData={"a": "b"})) is other


def test_missing_names_fit_into_a_line() -> None:
    """The first few are named, the others counted."""
    assert "2 of 9 missing: a, b" == describe_missing(["a", "b"], 9)
    assert "5 of 9 missing: a, b, c, d and 1 more" == describe_missing(list("abcde"), 9)


@dataclass
class Refusing:
    """A world whose API refuses an object so often."""

    error: ApiError
    refusals: int
    clock: JumpingClock = field(default_factory=JumpingClock)
    applied: list[str] = field(default_factory=list)

    @property
    def access(self) -> ClusterAccess:
        """Itself."""
        return cast("ClusterAccess", self)

    async def api(self) -> Refusing:
        """Return itself."""
        return self

    async def apply(self, wanted: JsonObject) -> None:
        """Refuse, or note it."""
        self.refusals -= 1
        if self.refusals >= 0:
            raise self.error
        self.applied.append(text_at(wanted, "metadata", "name"))


async def test_object_that_is_refused_for_now_is_applied_again() -> None:
    """Only that object waits, as long as it was asked to; the others are not applied anew."""
    world = Refusing(TooManyRequestsError("too many", retry_after_s=7.0), 1)
    await apply_all(world, [document("ConfigMap", "x"), document("ConfigMap", "y")])

    assert ["x", "y"] == sorted(world.applied)
    assert 7.0 <= world.clock.seconds < 14.0


@pytest.mark.parametrize(
    ("error", "refusals"), [(UnavailableError("away"), 4), (InvalidError("no"), 1)]
)
async def test_object_that_stays_refused_is_an_error(error: ApiError, refusals: int) -> None:
    """Four attempts at what may pass, one at what cannot."""
    world = Refusing(error, refusals)

    with pytest.raises(type(error)):
        await apply_all(world, [document("ConfigMap", "x")])
    assert (0, []) == (world.refusals, world.applied)
