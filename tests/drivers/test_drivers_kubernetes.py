"""What the Kubernetes door promises, over TLS on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.kubernetes import (
    Kubernetes,
    KubernetesObject,
    ObjectRef,
    Selection,
    parse_kubeconfig,
)
from lifecycle.errors import (
    ApiError,
    ConflictError,
    DriverError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)
from lifecycle.secrets import Secret
from tests.drivers.api_server import DECLARED, ApiServer, Authority

CONFIG_MAPS = Selection("v1", "ConfigMap", namespace="shop")
COLLECTION = "/api/v1/namespaces/shop/configmaps"
REF = ObjectRef("v1", "ConfigMap", "prices", "shop")


def config_map(name: str, version: str, **data: str) -> JsonObject:
    """Build a ConfigMap document as a list or watch holds it."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": version}
    return {"metadata": metadata, "data": data}


def connect(server: ApiServer, *, address: str = DECLARED) -> Kubernetes:
    """Connect to the server by a declared address that is really loopback."""
    kubeconfig = parse_kubeconfig(server.kubeconfig(f"https://{DECLARED}:{server.port}"))
    return Kubernetes(kubeconfig, address=address, dialled="127.0.0.1")


async def test_declared_address_is_verified_where_loopback_is_dialled(
    server: ApiServer, client: Kubernetes
) -> None:
    """A server whose certificate carries the declared address is trusted on loopback."""
    server.objects["/version"] = {"gitVersion": "v1.36.3"}

    assert await client.version() == "v1.36.3"


async def test_server_of_another_name_is_refused(server: ApiServer) -> None:
    """A certificate that does not carry the declared address is not accepted."""
    async with connect(server, address="10.41.0.99") as client:
        with pytest.raises(UnauthorizedError, match="not the cluster's"):
            await client.version()


async def test_server_of_another_authority_is_refused(server: ApiServer) -> None:
    """A server that is signed by a stranger's CA is not accepted, and no retry helps."""
    stranger = parse_kubeconfig(ApiServer(Authority(), server.port).kubeconfig())
    server_url = f"https://{DECLARED}:{server.port}"

    async with Kubernetes(replace(stranger, server=server_url), dialled="127.0.0.1") as client:
        with pytest.raises(UnauthorizedError):
            await client.version()


async def test_refused_certificate_is_no_bug(tmp_path: Path) -> None:
    """A server refuses a client's certificate after the handshake; its alert says why."""
    server = ApiServer(Authority())
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    answering = asyncio.create_task(
        asyncio.to_thread(refuse_client, listener, server.server_context(tmp_path))
    )
    kubeconfig = parse_kubeconfig(server.kubeconfig(f"https://{DECLARED}:{server.port}"))
    unknown = replace(kubeconfig, certificate=b"", token=Secret("t"))

    async with Kubernetes(unknown, address=DECLARED, dialled="127.0.0.1") as client:
        with pytest.raises(UnavailableError, match="certificate required"):
            await client.readyz()
    await answering


def refuse_client(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands with one client, tell it that it lacks a certificate, and let it go."""
    with listener, listener.accept()[0] as connection, connection.dup() as lingering:
        with suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True).close()
        # Closed with its request unread, the connection would be reset and the alert be lost.
        lingering.shutdown(socket.SHUT_WR)
        while lingering.recv(4096):
            pass


async def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    """A refused connection is an error worth another attempt."""
    async with ApiServer(Authority()).listening(tmp_path) as gone:
        pass

    async with connect(gone) as client:
        with pytest.raises(UnavailableError, match="does not answer"):
            await client.readyz()


async def test_readyz_is_text(server: ApiServer, client: Kubernetes) -> None:
    """The failing checks of a server that is not ready are in the error."""
    server.refusals["/readyz"] = (500, "[-]etcd failed: reason withheld\nreadyz check failed")

    with pytest.raises(UnavailableError, match="API server is not ready: etcd failed"):
        await client.readyz()


async def test_apply_is_a_forced_server_side_patch(server: ApiServer, client: Kubernetes) -> None:
    """An apply names the field manager, forces, and sends the document as it is."""
    document: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("prices", "")}

    await client.apply(document, dry_run=True)

    asked = server.asked[-1]
    assert (asked.method, asked.path, asked.content_type, asked.query, asked.body) == (
        "PATCH",
        f"{COLLECTION}/prices",
        "application/apply-patch+yaml",
        {"fieldManager": "talos-lifecycle", "force": "true", "dryRun": "All"},
        document,
    )


async def test_object_without_its_namespace_goes_to_default(
    server: ApiServer, client: Kubernetes
) -> None:
    """A namespaced object that names no namespace is put where kubectl would put it."""
    await client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    await client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}})

    patched = [asked.path for asked in server.asked if asked.method == "PATCH"]
    assert patched == ["/api/v1/namespaces/default/configmaps/a", "/api/v1/namespaces/b"]


async def test_kind_that_appears_later_is_found(server: ApiServer, client: Kubernetes) -> None:
    """A kind that is not served is an error now and is found once its CRD is there."""
    volume = ("longhorn.io/v1beta2", "Volume")
    missing = await client.serves(*volume)
    server.resources["/apis/longhorn.io/v1beta2"] = [
        {"name": "volumes", "kind": "Volume", "namespaced": True, "verbs": []}
    ]

    assert (missing, await client.serves(*volume)) == (False, True)


async def test_known_kind_is_asked_for_once(server: ApiServer, client: Kubernetes) -> None:
    """Discovery of a group and version costs one request."""
    for _ in range(3):
        await client.serves("v1", "Pod")

    assert [asked.path for asked in server.asked] == ["/api/v1"]


async def test_list_follows_pages(server: ApiServer, client: Kubernetes) -> None:
    """All pages are read, and items get the kind that lists leave out."""
    server.objects[COLLECTION] = {
        "metadata": {"resourceVersion": "9", "continue": "page2"},
        "items": [config_map("one", "1")],
    }
    server.objects[f"{COLLECTION}page2"] = {
        "metadata": {"resourceVersion": "9"},
        "items": [config_map("two", "2")],
    }

    found = await client.list(CONFIG_MAPS)

    assert [str(item.ref) for item in found.items] == ["ConfigMap shop/one", "ConfigMap shop/two"]
    assert found.resource_version == "9"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, InvalidError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, InvalidError),
        (429, TooManyRequestsError),
        (500, UnavailableError),
        (503, UnavailableError),
        (418, ApiError),
    ],
)
async def test_status_becomes_its_error(
    server: ApiServer, client: Kubernetes, status: int, expected: type[ApiError]
) -> None:
    """Each HTTP status is one class of errors, with the server's reason and message."""
    said: JsonObject = {"code": status, "reason": "Because", "message": "x" * 5000}
    server.refusals[f"{COLLECTION}/prices"] = (status, said)

    with pytest.raises(expected) as caught:
        await client.get(REF)

    error = caught.value
    assert (type(error), error.status, error.reason) == (expected, status, "Because")
    assert len(error.message) == 2000


async def test_retry_after_is_kept(server: ApiServer, client: Kubernetes) -> None:
    """An answer that says when to come back is an error that says so, JSON or not."""
    server.refusals[f"{COLLECTION}/prices"] = (503, "apiserver is shutting down")

    with pytest.raises(UnavailableError) as caught:
        await client.get(REF)

    assert (caught.value.retry_after_s, caught.value.message) == (7, "apiserver is shutting down")


async def test_missing_object_is_found_as_none(client: Kubernetes) -> None:
    """An object, or a kind, that does not exist is None to `find` and False to `delete`."""
    unknown = ObjectRef("example.org/v1", "Thing", "a", "b")

    assert (await client.find(REF), await client.find(unknown)) == (None, None)
    assert await client.delete(REF) is False


async def test_csr_is_approved_through_its_subresource(
    server: ApiServer, client: Kubernetes
) -> None:
    """An approval sends the request back as it was read, with one condition more."""
    request = KubernetesObject(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "csr-1", "resourceVersion": "5"},
            "spec": {"username": "system:node:a"},
        }
    )

    approved = await client.approve_csr(request, reason="DeclaredNode", message="a is declared")

    asked = server.asked[-1]
    assert (asked.method, asked.path.rpartition("/")[2]) == ("PUT", "approval")
    assert (approved.has_condition("Approved"), approved.resource_version) == (True, "5")


async def test_eviction_is_posted_to_its_pod(server: ApiServer, client: Kubernetes) -> None:
    """An Eviction goes to the pod that it names."""
    await client.create(
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "web-0", "namespace": "shop"},
        },
        subresource="eviction",
    )

    assert server.asked[-1].path == "/api/v1/namespaces/shop/pods/web-0/eviction"


async def test_observe_follows_changes_and_lists_again(
    server: ApiServer, client: Kubernetes
) -> None:
    """Every change gives the whole state; a version that is too old is listed again."""
    server.objects[COLLECTION] = {
        "metadata": {"resourceVersion": "5"},
        "items": [config_map("one", "1")],
    }
    bookmark: JsonObject = {"type": "BOOKMARK", "object": config_map("", "7")}
    gone: JsonObject = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    server.watches[COLLECTION] = [
        [{"type": "ADDED", "object": config_map("two", "6")}, bookmark],
        [{"type": "DELETED", "object": config_map("one", "8")}, gone],
    ]
    seen: list[list[str]] = []

    async with aclosing(client.observe(CONFIG_MAPS)) as states:
        async for state in states:
            seen.append([item.name for item in state.items])
            if len(seen) == 4:
                break

    versions = [asked.query.get("resourceVersion") for asked in server.asked if asked.query]
    assert seen == [["one"], ["one", "two"], ["two"], ["one"]]
    assert versions == [None, "5", "7", None]


def test_kubeconfig_without_embedded_identity_is_refused() -> None:
    """A kubeconfig that would start a program is refused, and nothing of it is shown."""
    text = ApiServer(Authority()).kubeconfig().reveal_text()
    exec_only = Secret(text.replace("client-certificate-data", "exec"))

    with pytest.raises(DriverError, match="no embedded certificate"):
        parse_kubeconfig(exec_only)


def test_broken_kubeconfig_shows_nothing_of_itself() -> None:
    """The error of a kubeconfig that cannot be parsed does not quote it."""
    with pytest.raises(DriverError) as caught:
        parse_kubeconfig(Secret("key: {hunter2"))

    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_conditions_read_as_values() -> None:
    """A condition that is missing is None, one that is there says its reason."""
    flux = KubernetesObject(
        {
            "kind": "Kustomization",
            "metadata": {"name": "core", "generation": 3, "labels": {"a": "b"}},
            "status": {
                "observedGeneration": 2,
                "conditions": [{"type": "Ready", "status": "False", "reason": "BuildFailed"}],
            },
        }
    )

    ready = flux.condition("Ready")

    assert ready is not None
    assert (ready.reason, ready.is_true, flux.condition("Stalled")) == ("BuildFailed", False, None)
    assert (flux.generation, flux.observed_generation, flux.labels) == (3, 2, {"a": "b"})
