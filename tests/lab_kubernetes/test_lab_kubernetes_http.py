"""The API over HTTPS, as httpx2 and lightkube see it."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Node

from lab.kubernetes.values import Json, Object, dig, maps, name_of, text
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    PORT,
    Cluster,
    deployment,
)

PODS = "/api/v1/namespaces/default/pods"


def body(response: httpx2.Response) -> Json:
    """The answer's JSON."""
    found: Json = response.json()
    return found


async def test_health_needs_a_certificate(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """With a client certificate `/readyz` is ok, without one it is 401, as Talos sets it up."""
    context = empty.anonymous_context()
    async with httpx2.AsyncClient(base_url=empty.url, verify=context) as stranger:
        refused = await stranger.get("/readyz")
    answered = await web.get("/readyz")

    assert (401, "Unauthorized") == (refused.status_code, dig(body(refused), "reason"))
    assert (200, "ok") == (answered.status_code, answered.text)


async def test_strangers_are_forbidden(empty: Cluster) -> None:
    """A user of no known group may do nothing."""
    context = empty.client_context("eve", "nobody")
    async with httpx2.AsyncClient(base_url=empty.url, verify=context) as eve:
        answer = await eve.get(PODS)

    assert 403 == answer.status_code
    assert 'User "eve" cannot list resource "pods"' in text(body(answer), "message")


async def test_discovery_in_both_forms(web: httpx2.AsyncClient) -> None:
    """Old clients read `/api/v1`, new ones the aggregated document."""
    old = await web.get("/api/v1")
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    new = await web.get("/apis", headers={"Accept": accept})

    assert "pods/eviction" in [text(item, "name") for item in maps(body(old), "resources")]
    assert "apps" in [name_of(item) for item in maps(body(new), "items")]


async def test_unknown_kinds_are_not_found(web: httpx2.AsyncClient) -> None:
    """A path of a kind that is not served gets the real server's words."""
    answer = await web.get("/apis/apps/v1/things")

    assert 404 == answer.status_code
    assert "the server could not find the requested resource" == dig(body(answer), "message")


async def test_patches_in_every_format(web: httpx2.AsyncClient) -> None:
    """JSON, merge and strategic merge patches do what their RFCs and kubectl mean."""
    path = "/apis/apps/v1/namespaces/default/deployments"
    await web.post(path, json=deployment("web"))
    operations: Json = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    strategic: Object = {
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "y"}]}}}
    }
    patches: list[tuple[str, Json]] = [
        ("application/json-patch+json", operations),
        ("application/merge-patch+json", {"metadata": {"labels": {"a": "b"}}}),
        ("application/strategic-merge-patch+json", strategic),
    ]
    answers = [
        await web.patch(
            f"{path}/web", content=json.dumps(patch), headers={"Content-Type": content_type}
        )
        for content_type, patch in patches
    ]
    result = body(answers[-1])

    assert 4 == dig(result, "spec", "replicas")
    assert "b" == dig(result, "metadata", "labels", "a")
    containers = maps(result, "spec", "template", "spec", "containers")

    assert ["c", "side"] == [text(item, "name") for item in containers]


async def test_lists_are_tables_for_kubectl(web: httpx2.AsyncClient) -> None:
    """`as=Table` shows names and ages."""
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    answer = await web.get("/api/v1/namespaces", headers={"Accept": accept})
    columns = [text(column, "name") for column in maps(body(answer), "columnDefinitions")]

    assert ["Name", "Status", "Age"] == columns


async def test_watches_stream_and_mark(web: httpx2.AsyncClient) -> None:
    """A watch begins with what there is, then a bookmark, then changes."""
    query = {"watch": "1", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    query["resourceVersionMatch"] = "NotOlderThan"
    seen: list[tuple[str, str]] = []
    path = "/api/v1/namespaces/kube-public/configmaps"
    async with web.stream("GET", path, params=query) as stream:
        lines = stream.aiter_lines()
        async for line in lines:
            event: Json = json.loads(line)
            seen.append((text(event, "type"), text(event, "object", "metadata", "name")))
            if seen[-1][0] == "BOOKMARK":
                late: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z"}}
                await web.post(path, json=late)
            if seen[-1][1] == "z":
                break

    assert ("BOOKMARK", "") in seen
    assert ("ADDED", "z") == seen[-1]


async def test_old_versions_are_gone(forgetful: Cluster, web: httpx2.AsyncClient) -> None:
    """A watch from a version that is forgotten ends with 410 Expired, told as an event."""
    for name in "abcd":
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await forgetful.client.create(space)
    query = {"watch": "1", "resourceVersion": "2"}
    async with web.stream("GET", "/api/v1/pods", params=query) as stream:
        events: list[Json] = [json.loads(line) async for line in stream.aiter_lines()]

    assert 200 == stream.status_code
    assert [("ERROR", "Expired")] == [
        (text(e, "type"), text(e, "object", "reason")) for e in events
    ]
    assert text(events[0], "object", "message").startswith("too old resource version: 2 (")


async def test_another_api_server_goes_on_with_a_list(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """What asks for the next page is no secret of the server that gave it."""
    other = replace(CONTROL_PLANE, name="cp-2", loopback="127.42.0.12")
    await empty.plane.start_apiserver(other)
    first = (await web.get("/api/v1/namespaces", params={"limit": "1"})).json()
    query = {"limit": "1", "continue": first["metadata"]["continue"]}
    url = f"https://{other.loopback}:{PORT}"
    async with httpx2.AsyncClient(base_url=url, verify=empty.client_context()) as second:
        found = await second.get("/api/v1/namespaces", params=query)

    assert ["default"] == [name_of(item) for item in maps(first, "items")]
    assert ["kube-node-lease"] == [name_of(item) for item in maps(body(found), "items")]


async def test_page_of_a_forgotten_version_is_gone_and_can_be_had_anew(
    forgetful: Cluster, web: httpx2.AsyncClient
) -> None:
    """The refusal brings what asks for the rest as it is now."""
    first = (await web.get("/api/v1/namespaces", params={"limit": "1"})).json()
    for name in "abcd":
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await forgetful.client.create(space)
    query = {"limit": "2", "continue": first["metadata"]["continue"]}
    gone = body(await web.get("/api/v1/namespaces", params=query))
    query["continue"] = text(gone, "metadata", "continue")
    rest = body(await web.get("/api/v1/namespaces", params=query))

    assert "Expired" == text(gone, "reason")
    assert text(gone, "message").startswith("The provided continue parameter is too old")
    assert ["kube-node-lease", "kube-public"] == [name_of(item) for item in maps(rest, "items")]


async def test_lightkube_works_with_it(empty: Cluster) -> None:
    """The client of the tool itself: apply, get, list, conflict."""
    config = KubeConfig.from_file(empty.kubeconfig())
    client = AsyncClient(config=config, field_manager="lifecycle")
    wanted = ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"x": "1"})
    made = await client.apply(wanted)
    found = await client.get(ConfigMap, "a", namespace="default")
    nodes = [node async for node in client.list(Node)]
    with pytest.raises(ApiError, match='configmaps "b" not found'):
        await client.get(ConfigMap, "b", namespace="default")
    await client.close()

    assert {"x": "1"} == made.data == found.data
    assert [] == nodes
