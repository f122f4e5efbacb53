"""One suite for two servers: the lab's API server, and a real kube-apiserver with its etcd.

What controllers do is left out: a bare API server has no controller manager.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest

from lab.kubernetes.values import Json, Object, at, dig, maps, name_of, number, text, texts
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, crd, deployment, make_pki
from tests.lab_kubernetes.real_apiserver import RealServer, explain_missing, run_real_server

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOLD: Json = ["example.org/hold"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test, and a namespace of the test's own."""

    http: httpx2.AsyncClient
    space: str

    def path(self, plural: str, name: str = "", api: str = "/api/v1") -> str:
        """Where a kind, or an object, of the test's namespace is."""
        return f"{api}/namespaces/{self.space}/{plural}" + (f"/{name}" if name else "")

    async def ask(
        self, method: str, path: str, body: Json = None, *, form: str = "application/json"
    ) -> tuple[int, Json]:
        """Send a request; returns the code, and the answer's JSON or text."""
        headers = {"Content-Type": form, "User-Agent": "contract/1"}
        content = None if body is None else json.dumps(body)
        answer = await self.http.request(method, path, content=content, headers=headers)
        is_json = answer.headers["content-type"].startswith("application/json")
        return answer.status_code, answer.json() if is_json else answer.text

    async def put_up(self, plural: str, obj: Object, api: str = "/api/v1") -> Object:
        """Create an object that must be taken."""
        code, made = await self.ask("POST", self.path(plural, api=api), obj)
        assert (201, True) == (code, isinstance(made, dict)), made
        return at(made)

    async def apply(self, obj: Object, manager: str, *, query: str = "") -> tuple[int, Json]:
        """Apply a ConfigMap."""
        path = f"{self.path('configmaps', name_of(obj))}?fieldManager={manager}{query}"
        return await self.ask("PATCH", path, obj, form=APPLY)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A real API server for all tests of this file."""
    if reason := explain_missing():
        pytest.skip(reason)
    with run_real_server(tmp_path_factory.mktemp("real"), make_pki()) as server:
        yield server


@asynccontextmanager
async def connect(url: str, context: ssl.SSLContext) -> AsyncIterator[Server]:
    """Connect to a server and make a namespace there."""
    async with httpx2.AsyncClient(base_url=url, verify=context) as http:
        found = Server(http, f"contract-{uuid4().hex[:8]}")
        await found.ask("POST", "/api/v1/namespaces", {"metadata": {"name": found.space}})
        yield found


@pytest.fixture
async def lab_server(empty: Cluster) -> AsyncIterator[Server]:
    """The lab's API server."""
    async with connect(empty.url, empty.client_context()) as found:
        yield found


@pytest.fixture
async def real_server(real: RealServer) -> AsyncIterator[Server]:
    """The real API server."""
    async with connect(real.url, real.context) as found:
        yield found


@pytest.fixture(params=["lab_server", pytest.param("real_server", marks=pytest.mark.tools)])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


def settings(name: str, data: Object | None = None, **metadata: Json) -> Object:
    """A ConfigMap."""
    where: Object = {"name": name, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where, "data": data or {}}


def refusal(answer: tuple[int, Json]) -> tuple[int, str, str]:
    """Code, reason and message of a refusal, which the body says as the status line does."""
    code, body = answer
    assert ("Status", "Failure", code) == (
        dig(body, "kind"),
        dig(body, "status"),
        number(body, "code"),
    )
    return code, text(body, "reason"), text(body, "message")


async def write(server: Server, method: str, obj: Object) -> tuple[int, Json]:
    """Write a ConfigMap: PUT, PATCH or APPLY."""
    if method == "APPLY":
        return await server.apply(obj, "one")
    form = MERGE if method == "PATCH" else "application/json"
    return await server.ask(method, server.path("configmaps", name_of(obj)), obj, form=form)


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
