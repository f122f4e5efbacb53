"""One suite for two servers, the lab's and a real kube-apiserver with its etcd: refusals and apply.

What controllers do is left out: a bare API server has no controller manager.
"""

from __future__ import annotations

import pytest

from lab.kubernetes.values import Object, at, dig, maps, text
from tests.lab_kubernetes.contract_server import (
    APPLY,
    Server,
    refusal,
    settings,
    write,
)
from tests.lab_kubernetes.lab_kubernetes_cluster import deployment


async def test_missing_objects(server: Server) -> None:
    """NotFound names the resource with its group, in the message and in the details."""
    answer = await server.ask("GET", server.path("deployments", "no", "/apis/apps/v1"))

    assert (404, "NotFound", 'deployments.apps "no" not found') == refusal(answer)
    assert {"name": "no", "group": "apps", "kind": "deployments"} == dig(answer[1], "details")


@pytest.mark.parametrize("path", ["/api/v1/things", "/apis/apps/v1/things"])
async def test_missing_kinds(server: Server, path: str) -> None:
    """A kind that a served group lacks is a Status with empty details."""
    answer = await server.ask("GET", path)

    message = "the server could not find the requested resource"
    assert (404, "NotFound", message) == refusal(answer)
    assert {} == dig(answer[1], "details")


@pytest.mark.parametrize("path", ["/apis/no.example/v1/things", "/apis/no.example/v1"])
async def test_missing_groups(server: Server, path: str) -> None:
    """A group that is not served at all is plain text, no Status."""
    assert (404, "404 page not found\n") == await server.ask("GET", path)


async def test_discovery_of_one_group(server: Server) -> None:
    """A group tells its versions and the one to prefer."""
    code, group = await server.ask("GET", "/apis/apps")

    assert (200, "APIGroup", "apps/v1") == (
        code,
        text(group, "kind"),
        text(group, "preferredVersion", "groupVersion"),
    )


async def test_subresources_only_where_there_are(server: Server) -> None:
    """ConfigMaps have no status to read."""
    await server.put_up("configmaps", settings("a"))
    answer = await server.ask("GET", server.path("configmaps", "a") + "/status")

    assert (404, "NotFound") == refusal(answer)[:2]


async def test_creating_what_exists(server: Server) -> None:
    """AlreadyExists names the object, with its group."""
    web = deployment("web", server.space)
    await server.put_up("deployments", web, "/apis/apps/v1")
    answer = await server.ask("POST", server.path("deployments", api="/apis/apps/v1"), web)

    assert (409, "AlreadyExists", 'deployments.apps "web" already exists') == refusal(answer)
    assert {"name": "web", "group": "apps", "kind": "deployments"} == dig(answer[1], "details")


@pytest.mark.parametrize(("name", "reason"), [("", "Required"), ("Bad_Name", "Invalid")])
async def test_names_that_are_none(server: Server, name: str, reason: str) -> None:
    """Invalid names the field in its causes."""
    answer = await server.ask("POST", server.path("configmaps"), settings(name))
    [cause] = maps(answer[1], "details", "causes")

    assert (
        f'ConfigMap "{name}" is invalid: metadata.name: {text(cause, "message")}'
        == refusal(answer)[2]
    )
    assert ("metadata.name", f"FieldValue{reason}") == (text(cause, "field"), text(cause, "reason"))


@pytest.mark.parametrize(
    ("demand", "method"),
    [
        ("resourceVersion", "PUT"),
        ("resourceVersion", "PATCH"),
        ("resourceVersion", "APPLY"),
        ("uid", "PUT"),
    ],
)
async def test_stale_writes(server: Server, demand: str, method: str) -> None:
    """Whoever writes with another version or identity than the stored one gets Conflict."""
    await server.put_up("configmaps", settings("a"))
    answer = await write(server, method, settings("a", {"x": "1"}, **{demand: "1"}))
    code, reason, message = refusal(answer)

    assert (409, "Conflict") == (code, reason)
    assert 'Operation cannot be fulfilled on configmaps "a": ' in message
    assert {"name": "a", "kind": "configmaps"} == dig(answer[1], "details")


@pytest.mark.parametrize("method", ["PATCH", "APPLY"])
async def test_patches_keep_identities(server: Server, method: str) -> None:
    """A patch that would change the uid is Invalid, where a replacement is a Conflict."""
    await server.put_up("configmaps", settings("a"))
    answer = await write(server, method, settings("a", uid="1"))

    assert (
        422,
        "Invalid",
        'ConfigMap "a" is invalid: metadata.uid: Invalid value: "1": field is immutable',
    ) == refusal(answer)


@pytest.mark.parametrize("demand", ["resourceVersion", "uid"])
async def test_stale_deletions(server: Server, demand: str) -> None:
    """Preconditions that do not hold keep the object."""
    await server.put_up("configmaps", settings("a"))
    path = server.path("configmaps", "a")
    options: Object = {"preconditions": {demand: "1"}}
    answer = await server.ask("DELETE", path, options)

    assert (409, "Conflict") == refusal(answer)[:2]
    assert "in the precondition (1) does not match the" in refusal(answer)[2]
    assert 200 == (await server.ask("GET", path))[0]


async def test_apply_conflicts_name_managers(server: Server) -> None:
    """A conflict says which field is whose; all of them when there are several."""
    await server.apply(settings("s", {"a": "1", "b": "1"}), "one")
    single = await server.apply(settings("s", {"a": "2"}), "two")
    await server.apply(settings("s", {"a": "1", "c": "1"}), "two")
    several = await server.apply(settings("s", {"a": "3", "c": "3"}), "three")
    [cause] = maps(single[1], "details", "causes")

    assert (
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "one": .data.a',
    ) == refusal(single)
    assert {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "one"',
        "field": ".data.a",
    } == cause
    assert (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n'
        'conflicts with "two":\n- .data.a\n- .data.c'
    ) == refusal(several)[2]


async def test_apply_conflicts_with_updates(server: Server) -> None:
    """A field that somebody wrote without apply is a conflict that names the version, too."""
    await server.put_up("configmaps", settings("s", {"a": "1"}))
    answer = await server.apply(settings("s", {"a": "2"}), "one")

    assert (
        'Apply failed with 1 conflict: conflict with "contract" using v1: .data.a'
        == refusal(answer)[2]
    )


async def test_apply_forces_and_forgets(server: Server) -> None:
    """Force takes a field over; what a manager no longer applies goes, unless it is another's."""
    await server.apply(settings("s", {"a": "1", "b": "1", "c": "1"}), "one")
    await server.apply(settings("s", {"a": "2", "c": "1"}), "two", query="&force=true")
    code, left = await server.apply(settings("s", {}), "one")
    owners = {text(entry, "manager"): entry for entry in maps(left, "metadata", "managedFields")}

    assert (200, {"a": "2", "c": "1"}) == (code, at(left, "data"))
    assert {"f:a", "f:c"} <= set(at(owners["two"], "fieldsV1", "f:data"))
    assert "Apply" == text(owners["two"], "operation")


async def test_apply_needs_a_manager(server: Server) -> None:
    """An apply without a name, or with managedFields of its own, is refused."""
    path = server.path("configmaps", "s")
    nameless = await server.ask("PATCH", path, settings("s"), form=APPLY)
    await server.apply(settings("s"), "one")
    owned = settings("s", managedFields=[{"manager": "x"}])

    assert (
        422,
        "Invalid",
        (
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: '
            "Required value: is required for apply patch"
        ),
    ) == refusal(nameless)
    assert (400, "BadRequest", "metadata.managedFields must be nil") == refusal(
        await server.apply(owned, "one")
    )
