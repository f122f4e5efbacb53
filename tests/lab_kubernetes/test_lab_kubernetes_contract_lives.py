"""One suite for two servers, the lab's and a real kube-apiserver with its etcd: lives.

What controllers do is left out: a bare API server has no controller manager.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from lab.kubernetes.values import Json, Object, at, dig, maps, name_of, number, text, texts
from tests.lab_kubernetes.contract_server import (
    CRDS,
    HOLD,
    JSON,
    MERGE,
    Server,
    refusal,
    settings,
)
from tests.lab_kubernetes.lab_kubernetes_cluster import crd, deployment


async def test_dry_runs_store_nothing(server: Server) -> None:
    """A dry run answers as if, for creation, apply and deletion."""
    path = server.path("configmaps")
    made = await server.ask("POST", f"{path}?dryRun=All", settings("a"))
    applied = await server.apply(settings("b"), "one", query="&dryRun=All")
    await server.put_up("configmaps", settings("c"))
    gone = await server.ask("DELETE", f"{path}/c?dryRun=All")
    left = [(await server.ask("GET", f"{path}/{name}"))[0] for name in "abc"]

    assert [201, 201, 200] == [made[0], applied[0], gone[0]]
    assert [404, 404, 200] == left


async def test_json_patches(server: Server) -> None:
    """Add, test and replace do as the real one's library does: replace also sets."""
    await server.put_up("configmaps", settings("a", {"x": "1"}))
    operations: Json = [
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "add", "path": "/data/y", "value": "2"},
        {"op": "replace", "path": "/data/z", "value": "3"},
    ]
    code, obj = await server.ask("PATCH", server.path("configmaps", "a"), operations, form=JSON)

    assert (200, {"x": "1", "y": "2", "z": "3"}) == (code, at(obj, "data"))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/x", "value": "9"},
        {"op": "remove", "path": "/data/no"},
        {"op": "add", "path": "/no/where", "value": "1"},
        {"op": "frob", "path": "/data/x"},
    ],
)
async def test_json_patches_that_fail(server: Server, operation: Object) -> None:
    """Whatever is wrong with a JSON patch, the answer is the same."""
    await server.put_up("configmaps", settings("a", {"x": "1"}))
    path = server.path("configmaps", "a")
    answer = await server.ask("PATCH", path, [operation], form=JSON)

    message = "the server rejected our request due to an error in our request"
    assert (422, "Invalid", message) == refusal(answer)


async def test_patches_of_unknown_format(server: Server) -> None:
    """A patch must say which kind of patch it is."""
    await server.put_up("configmaps", settings("a"))
    answer = await server.ask("PATCH", server.path("configmaps", "a"), {"data": {"x": "1"}})

    assert (415, "UnsupportedMediaType") == refusal(answer)[:2]


async def test_methods_that_nobody_may(server: Server) -> None:
    """All namespaces cannot be deleted at once, and nothing is created at an object's path."""
    await server.put_up("configmaps", settings("a"))
    wiped = await server.ask("DELETE", "/api/v1/namespaces")
    misplaced = await server.ask("POST", server.path("configmaps", "a"), settings("a"))

    message = "the server does not allow this method on the requested resource"
    assert (405, "MethodNotAllowed", message) == refusal(wiped) == refusal(misplaced)


async def test_finalizers_hold(server: Server) -> None:
    """A deleted object stays with its deletionTimestamp until its last finalizer went."""
    await server.put_up("configmaps", settings("a", finalizers=HOLD))
    path = server.path("configmaps", "a")
    code, held = await server.ask("DELETE", path)
    await server.ask("PATCH", path, {"metadata": {"finalizers": None}}, form=MERGE)

    assert (200, "ConfigMap") == (code, text(held, "kind"))
    assert text(held, "metadata", "deletionTimestamp")
    assert 404 == (await server.ask("GET", path))[0]


async def test_namespaces_on_their_way_out(server: Server) -> None:
    """Nothing new comes into a namespace that terminates; the refusal says why."""
    await server.put_up("configmaps", settings("a", finalizers=HOLD))
    code, space = await server.ask("DELETE", f"/api/v1/namespaces/{server.space}")
    answer = await server.ask("POST", server.path("configmaps"), settings("b"))
    [cause] = maps(answer[1], "details", "causes")

    assert (200, "Terminating") == (code, text(space, "status", "phase"))
    assert (
        403,
        "Forbidden",
        (
            'configmaps "b" is forbidden: unable to create new content in namespace '
            f"{server.space} because it is being terminated"
        ),
    ) == refusal(answer)
    assert "NamespaceTerminating" == text(cause, "reason")


async def test_generations(server: Server) -> None:
    """Spec and scale count generations up; labels and status do not."""
    api = "/apis/apps/v1"
    await server.put_up("deployments", deployment("web", server.space), api)
    path, seen = server.path("deployments", "web", api), list[int]()
    patches: list[tuple[str, Json]] = [
        ("", {"metadata": {"labels": {"a": "b"}}}),
        ("/status", {"status": {"observedGeneration": 1}}),
        ("", {"spec": {"replicas": 3}}),
        ("/scale", {"spec": {"replicas": 5}}),
    ]
    for suffix, patch in patches:
        await server.ask("PATCH", path + suffix, patch, form=MERGE)
        seen.append(number((await server.ask("GET", path))[1], "metadata", "generation"))

    assert [1, 1, 2, 3] == seen


async def test_evictions(server: Server) -> None:
    """A budget keeps a running pod and says why; a pod that is not up yet goes regardless."""
    budget: Object = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}},
    }
    await server.put_up("poddisruptionbudgets", budget, "/apis/policy/v1")
    status = {"observedGeneration": 1, "currentHealthy": 0, "desiredHealthy": 1}
    path = server.path("poddisruptionbudgets", "b", "/apis/policy/v1") + "/status"
    answers = []
    for name, phase in (("pending", "Pending"), ("running", "Running")):
        pod: Object = {"metadata": {"name": name, "labels": {"app": "p"}}}
        pod["spec"] = {"containers": [{"name": "c", "image": "x"}]}
        await server.put_up("pods", pod)
        where = server.path("pods", name)
        await server.ask("PATCH", f"{where}/status", {"status": {"phase": phase}}, form=MERGE)
        await server.ask("PATCH", path, {"status": {**status, "disruptionsAllowed": 0}}, form=MERGE)
        eviction: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name},
        }
        answers.append(await server.ask("POST", f"{where}/eviction", eviction))
    [went, kept] = answers
    [cause] = maps(kept[1], "details", "causes")

    assert 201 == went[0]
    assert (
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    ) == refusal(kept)
    assert {
        "reason": "DisruptionBudget",
        "message": "The disruption budget b needs 1 healthy pods and has 0 currently",
    } == cause


async def test_selectors(server: Server) -> None:
    """Labels are selected by sets, names by fields."""
    for name in "abc":
        await server.put_up("configmaps", settings(name, labels={"n": name}))
    path, found = server.path("configmaps"), list[list[str]]()
    for query in (
        "labelSelector=n in (a,c)",
        "labelSelector=n,n!=a",
        "fieldSelector=metadata.name=b",
    ):
        answer = await server.ask("GET", f"{path}?{query}")
        found.append([name_of(item) for item in maps(answer[1], "items")])

    assert [["a", "c"], ["b", "c"], ["b"]] == found


async def test_watches_go_on_from_a_version(server: Server) -> None:
    """A watch from a version tells what came after it, and nothing before."""
    first = await server.put_up("configmaps", settings("a"))
    since = text(first, "metadata", "resourceVersion")
    await server.put_up("configmaps", settings("b", labels={"mine": "yes"}))
    await server.ask("DELETE", server.path("configmaps", "b"))
    query = {"watch": "1", "resourceVersion": since, "labelSelector": "mine"}
    seen: list[tuple[str, str]] = []
    async with server.http.stream("GET", server.path("configmaps"), params=query) as stream:
        async for line in stream.aiter_lines():
            event: Json = json.loads(line)
            seen.append((text(event, "type"), text(event, "object", "metadata", "name")))
            if len(seen) == 2:
                break

    assert [("ADDED", "b"), ("DELETED", "b")] == seen


async def test_kinds_come_with_their_definition(server: Server) -> None:
    """A CRD is Established before its kind is served; status and spec keep apart then."""
    group = f"{server.space}.example.org"
    api = f"/apis/{group}/v1"
    await server.ask("POST", CRDS, crd(group=group))
    async with asyncio.timeout(20):
        while (  # noqa: ASYNC110  another process tells when
            await server.ask("GET", server.path("things", api=api))
        )[0] != 200:
            await asyncio.sleep(0.02)
    definition = (await server.ask("GET", f"{CRDS}/things.{group}"))[1]
    body: Object = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}}
    made = await server.put_up("things", {**body, "spec": {"a": 1}, "status": {"x": 1}}, api)
    path = server.path("things", "t", api)
    both: Json = {"spec": {"a": 2}, "status": {"y": 1}}
    status = (await server.ask("PATCH", f"{path}/status", both, form=MERGE))[1]
    spec = (await server.ask("PATCH", path, both, form=MERGE))[1]

    established = {
        text(item, "type"): text(item, "status")
        for item in maps(definition, "status", "conditions")
    }
    assert "True" == established["Established"]
    assert ["v1", "v1beta2", "v1beta1"] != texts(definition, "status", "storedVersions") == ["v1"]
    assert (1, None) == (number(made, "metadata", "generation"), dig(made, "status"))
    assert ({"a": 1}, {"y": 1}) == (at(status, "spec"), at(status, "status"))
    assert (2, {"a": 2}) == (number(spec, "metadata", "generation"), at(spec, "spec"))
