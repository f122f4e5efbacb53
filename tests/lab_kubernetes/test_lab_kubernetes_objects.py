"""Objects under the rules of the API: identity, generation, apply, deletion, kinds."""

from __future__ import annotations

import pytest

from lab.kubernetes.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    UnavailableError,
)
from lab.kubernetes.values import Object, at, dig, maps, name_of, number, text, uid_of
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, condition, crd, deployment


def config(name: str, **data: str) -> Object:
    """A ConfigMap in `default`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": dict(data),
    }


async def test_a_namespace_must_exist(empty: Cluster) -> None:
    """Creating in a namespace that is not there fails as the real API server says it."""
    lost = config("a")
    lost["metadata"] = {"name": "a", "namespace": "nope"}

    with pytest.raises(NotFoundError, match='namespaces "nope" not found'):
        await empty.client.apply(lost, manager="m")


async def test_an_object_is_created_once(empty: Cluster) -> None:
    """A second create of the same name is refused."""
    await empty.client.create(config("a"))

    with pytest.raises(AlreadyExistsError, match='configmaps "a" already exists'):
        await empty.client.create(config("a"))


async def test_names_are_generated(empty: Cluster) -> None:
    """`generateName` gets five random characters."""
    nameless = config("")
    nameless["metadata"] = {"generateName": "web-", "namespace": "default"}

    made = await empty.client.create(nameless)

    assert len("web-") + 5 == len(name_of(made))


async def test_an_old_version_is_a_conflict(empty: Cluster) -> None:
    """An update with an outdated resourceVersion is refused."""
    old = await empty.client.create(config("a", x="1"))
    await empty.client.patch("v1", "ConfigMap", "a", "default", body={"data": {"x": "2"}})

    with pytest.raises(ConflictError, match="the object has been modified"):
        await empty.client.update(old)


async def test_generation_follows_spec_only(empty: Cluster) -> None:
    """Labels and status leave `generation` alone, spec moves it."""
    await empty.client.apply(deployment("web"), manager="m")
    labelled = await empty.client.patch(
        "apps/v1", "Deployment", "web", "default", body={"metadata": {"labels": {"a": "b"}}}
    )
    scaled = await empty.client.patch(
        "apps/v1", "Deployment", "web", "default", body={"spec": {"replicas": 2}}
    )

    assert 1 == number(labelled, "metadata", "generation")
    assert 2 == number(scaled, "metadata", "generation")


async def test_an_apply_that_changes_nothing_writes_nothing(empty: Cluster) -> None:
    """The same apply again keeps the resourceVersion, defaults notwithstanding."""
    first = await empty.client.apply(crd(), manager="m")
    again = await empty.client.apply(crd(), manager="m")

    assert uid_of(first) == uid_of(again)
    assert 1 == number(again, "metadata", "generation")


async def test_fields_belong_to_their_manager(empty: Cluster) -> None:
    """Another manager's different value is a conflict that names field and owner, until forced."""
    await empty.client.apply(deployment("web", image="x:1"), manager="flux")

    with pytest.raises(ConflictError, match=r'conflict with "flux": .*\[name="c"\]\.image'):
        await empty.client.apply(deployment("web", image="x:2"), manager="hand")
    forced = await empty.client.apply(deployment("web", image="x:2"), manager="hand", force=True)
    containers = maps(forced, "spec", "template", "spec", "containers")

    assert ["x:2"] == [text(container, "image") for container in containers]


async def test_fields_given_up_are_removed(empty: Cluster) -> None:
    """What a manager applied before and leaves out now goes, unless somebody else owns it."""
    await empty.client.apply(config("a", mine="1", both="1"), manager="one")
    await empty.client.apply(config("a", both="1"), manager="two")

    left = await empty.client.apply(config("a"), manager="one")

    assert {"both": "1"} == at(left, "data")


async def test_a_dry_run_stores_nothing(empty: Cluster) -> None:
    """Dry runs answer as if, and leave no trace."""
    shown = await empty.client.apply(config("a", x="1"), manager="m", dry_run=True)

    assert {"x": "1"} == at(shown, "data")
    assert await empty.client.find("v1", "ConfigMap", "a", "default") is None


async def test_kinds_exist_once_their_crd_is_established(empty: Cluster) -> None:
    """A CR before Established is `could not find the requested resource`; then both versions."""
    thing: Object = {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"size": 1},
        "status": {"phase": "stolen"},
    }
    await empty.client.apply(crd(), manager="m")
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        await empty.client.apply(thing, manager="m")

    definition = empty.see(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.org"
    )
    await definition.until(lambda obj: condition(obj, "Established") == "True")
    await empty.client.apply(thing, manager="m")
    older = await empty.client.get("example.org/v1beta1", "Thing", "a", "default")

    assert "example.org/v1beta1" == text(older, "apiVersion")
    assert "status" not in older


async def test_status_is_written_apart(empty: Cluster) -> None:
    """The status subresource writes status only, the main one everything else."""
    made = await empty.client.create(deployment("web"))
    made["status"] = {"note": "seen"}
    made["spec"] = {}
    written = await empty.client.update_status(made)
    kept = await empty.client.patch(
        "apps/v1", "Deployment", "web", "default", body={"status": {"note": "lost"}}
    )

    assert "seen" == dig(written, "status", "note")
    assert maps(written, "spec", "template", "spec", "containers") != []
    assert "seen" == dig(kept, "status", "note")


async def test_finalizers_hold_an_object(empty: Cluster) -> None:
    """A deleted object with finalizers stays, marked, until they are gone."""
    held = config("a")
    held["metadata"] = {"name": "a", "namespace": "default", "finalizers": ["example.org/hold"]}
    await empty.client.create(held)
    await empty.client.delete("v1", "ConfigMap", "a", "default")
    marked = await empty.client.get("v1", "ConfigMap", "a", "default")
    await empty.client.patch(
        "v1", "ConfigMap", "a", "default", body={"metadata": {"finalizers": None}}
    )

    assert "deletionTimestamp" in at(marked, "metadata")
    assert await empty.client.find("v1", "ConfigMap", "a", "default") is None


async def test_dependents_go_with_their_owner(empty: Cluster) -> None:
    """Owner references are collected in the background."""
    owner = await empty.client.create(config("owner"))
    child = config("child")
    child["metadata"] = {
        "name": "child",
        "namespace": "default",
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid_of(owner)}
        ],
    }
    await empty.client.create(child)
    await empty.client.delete("v1", "ConfigMap", "owner", "default")
    await empty.see("v1", "ConfigMap", "child", "default").until_gone()

    assert await empty.client.find("v1", "ConfigMap", "child", "default") is None


async def test_a_namespace_is_emptied_first(empty: Cluster) -> None:
    """Deleting a namespace deletes what is in it; nothing new may come meanwhile."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    inside = config("a")
    inside["metadata"] = {"name": "a", "namespace": "web", "finalizers": ["example.org/hold"]}
    late = config("b")
    late["metadata"] = {"name": "b", "namespace": "web"}
    await empty.client.create(space)
    await empty.client.create(inside)
    await empty.client.delete("v1", "Namespace", "web")

    with pytest.raises(ForbiddenError, match="because it is being terminated"):
        await empty.client.create(late)
    await empty.client.patch("v1", "ConfigMap", "a", "web", body={"metadata": {"finalizers": None}})
    await empty.see("v1", "Namespace", "web").until_gone()

    assert await empty.client.find("v1", "Namespace", "web") is None


async def test_a_forgotten_version_cannot_be_watched(forgetful: Cluster) -> None:
    """A watch from a version of another time is 410, so that the reader lists again."""
    for name in "abcd":
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await forgetful.client.create(space)
    watch = forgetful.client.watch("v1", "ConfigMap", since="2")

    with pytest.raises(GoneError):
        await anext(watch)


async def test_watches_end_with_the_api_server(empty: Cluster) -> None:
    """When the last API server stops, watches fail, and so does every call."""
    watch = empty.client.watch("v1", "Node")
    await empty.client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    await anext(watch)
    await empty.plane.stop_apiserver("cp-1")

    with pytest.raises(UnavailableError):
        async for _ in watch:
            pass
    with pytest.raises(UnavailableError):
        await empty.client.get("v1", "Node", "n")
