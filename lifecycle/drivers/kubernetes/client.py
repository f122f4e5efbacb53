"""The Kubernetes client: any kind, by server-side apply, through one control plane's address."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from lifecycle.drivers.documents import JsonObject, list_at, text_at
from lifecycle.drivers.kubernetes.discovery import ApiResource, Discovery
from lifecycle.drivers.kubernetes.kubeconfig import Kubeconfig
from lifecycle.drivers.kubernetes.objects import (
    Change,
    KubernetesObject,
    ObjectList,
    ObjectRef,
    Selection,
)
from lifecycle.drivers.kubernetes.selections import SelectionReader
from lifecycle.drivers.kubernetes.transport import Endpoint, Transport
from lifecycle.drivers.process import Listener
from lifecycle.errors import ApiError, NotFoundError, UnavailableError

__all__ = ["Kubernetes"]

# `/readyz` lists its checks, one a line, when one of them fails.
_FAILED_CHECK = re.compile(r"^\[-\](\S+) failed", re.MULTILINE)
_DEFAULT_NAMESPACE = "default"  # of an object that has one and names none, as in kubectl


class Kubernetes:
    """A client of one API server; close it, or use it as an async context manager.

    Methods raise the `ApiError` tree and nothing else: `UnavailableError` when nobody answers,
    `UnauthorizedError` when the server is not signed by the kubeconfig's CA.
    """

    def __init__(
        self,
        kubeconfig: Kubeconfig,
        *,
        address: str = "",
        dialled: str = "",
        field_manager: str = "talos-lifecycle",
        listener: Listener | None = None,
    ) -> None:
        """Bind to an address.

        Args:
            kubeconfig: Identity and CA.
            address: The declared address of the control plane to ask, which its certificate
                must carry; the kubeconfig's server (often the VIP) otherwise.
            dialled: Where that address is really reached, when it is elsewhere (the lab).
            field_manager: The owner of applied fields.
            listener: Hears of every request that changes something.
        """
        declared = address or kubeconfig.host
        endpoint = Endpoint(dialled or declared, kubeconfig.port, declared)
        self._transport = Transport(
            endpoint,
            kubeconfig.tls_context(),
            token=kubeconfig.token.reveal_text(),
            listener=listener,
        )
        self._discovery = Discovery(self._transport)
        self._reader = SelectionReader(self._transport, self._discovery)
        self._field_manager = field_manager
        self._written: dict[tuple[str, str], int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    def written(self, api_version: str, kind: str) -> int:
        """Return the newest resourceVersion of what this client wrote of a kind; 0 for none."""
        return self._written.get((api_version, kind), 0)

    async def readyz(self) -> str:
        """Return the server's `ok`; raises UnavailableError naming the checks that fail."""
        try:
            return await self._transport.text("/readyz")
        except UnavailableError as error:
            failed = _FAILED_CHECK.findall(error.message)
            if not failed:
                raise
            message = f"API server is not ready: {', '.join(failed)} failed"
            raise UnavailableError(message, status=error.status, reason="NotReady") from error

    async def version(self) -> str:
        """Return the server's version, such as `v1.36.3`."""
        return text_at(await self._transport.request("GET", "/version"), "gitVersion")

    async def serves(self, api_version: str, kind: str) -> bool:
        """Tell whether a kind exists on the server."""
        try:
            await self._discovery.find(api_version, kind)
        except NotFoundError:
            return False
        return True

    async def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return how a kind is served; raises NotFoundError."""
        return await self._discovery.find(api_version, kind)

    async def get(self, ref: ObjectRef) -> KubernetesObject:
        """Return an object; raises NotFoundError, also when its kind is not served."""
        return KubernetesObject(await self._transport.request("GET", await self._path(ref)))

    async def find(self, ref: ObjectRef) -> KubernetesObject | None:
        """Return an object, or None when it or its kind does not exist."""
        try:
            return await self.get(ref)
        except NotFoundError:
            return None

    async def list(self, selection: Selection) -> ObjectList:
        """Return all selected objects, page by page; raises NotFoundError for an unknown kind."""
        return await self._reader.list(selection)

    def watch(self, selection: Selection, resource_version: str) -> AsyncGenerator[Change, None]:
        """Yield the changes since a list, see `SelectionReader.watch`; close it when done."""
        return self._reader.watch(selection, resource_version)

    def observe(self, selection: Selection) -> AsyncGenerator[ObjectList, None]:
        """Yield all selected objects now and after every change, for ever; close it when done.

        Raises UnavailableError when the server goes away: whether to wait is the caller's choice.
        """
        return self._reader.observe(selection)

    async def apply(
        self, document: JsonObject, *, force: bool = True, dry_run: bool = False
    ) -> KubernetesObject:
        """Apply an object on the server's side, as `field_manager`.

        Raises:
            ConflictError: Without `force`, a field has another owner.
            InvalidError: The object is not acceptable.
            NotFoundError: Its kind or its namespace does not exist (yet).
        """
        wanted = KubernetesObject(document)
        params = {"fieldManager": self._field_manager, "force": "true" if force else "false"}
        answer = await self._transport.request(
            "PATCH",
            await self._path(wanted.ref),
            params=params | _dry_run(dry_run=dry_run),
            body=document,
            content_type="application/apply-patch+yaml",
        )
        return KubernetesObject(answer) if dry_run else self._note_written(answer)

    async def create(self, document: JsonObject, *, subresource: str = "") -> KubernetesObject:
        """Create an object, or a sub-resource such as `eviction`; raises ConflictError."""
        ref = KubernetesObject(document).ref
        resource = await self._resource_of(ref, subresource)
        name = ref.name if subresource else ""
        namespace = ref.namespace or _DEFAULT_NAMESPACE
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        params = {"fieldManager": self._field_manager}
        return self._note_written(
            await self._transport.request("POST", path, params=params, body=document)
        )

    async def replace(self, document: JsonObject, *, subresource: str = "") -> KubernetesObject:
        """Replace an object, or its `status` or `approval`.

        Raises:
            ConflictError: It changed since the document's resourceVersion.
        """
        path = await self._path(KubernetesObject(document).ref, subresource)
        params = {"fieldManager": self._field_manager}
        return self._note_written(
            await self._transport.request("PUT", path, params=params, body=document)
        )

    async def patch_merge(
        self, ref: ObjectRef, patch: JsonObject, *, subresource: str = "", dry_run: bool = False
    ) -> KubernetesObject:
        """Merge a patch into an object (RFC 7386: a null removes); raises NotFoundError."""
        answer = await self._transport.request(
            "PATCH",
            await self._path(ref, subresource),
            params={"fieldManager": self._field_manager} | _dry_run(dry_run=dry_run),
            body=patch,
            content_type="application/merge-patch+json",
        )
        return KubernetesObject(answer) if dry_run else self._note_written(answer)

    async def delete(self, ref: ObjectRef, *, uid: str = "", orphan: bool = False) -> bool:
        """Delete an object; returns False when it was not there.

        Args:
            ref: The object.
            uid: Only if it is still this one; ConflictError otherwise.
            orphan: Keep what belongs to it.
        """
        policy = "Orphan" if orphan else "Background"
        options: dict[str, str | dict[str, str]] = {"propagationPolicy": policy}
        if uid:
            options["preconditions"] = {"uid": uid}
        body: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            await self._transport.request("DELETE", await self._path(ref), body=body)
        except NotFoundError:
            return False
        return True

    async def approve_csr(
        self, request: KubernetesObject, *, reason: str, message: str
    ) -> KubernetesObject:
        """Approve a CertificateSigningRequest exactly as it was read.

        Raises:
            ConflictError: It changed since; judge it again.
        """
        verdict = {"type": "Approved", "status": "True", "reason": reason, "message": message}
        conditions = [*list_at(request.raw, "status", "conditions"), verdict]
        status = {**request.status, "conditions": conditions}
        return await self.replace({**request.raw, "status": status}, subresource="approval")

    async def kubelet_answers(self, node: str) -> bool:
        """Tell whether the API server reaches a kubelet, which needs its serving certificate.

        Without one the kubelet ends every TLS handshake with `internal error`.
        """
        try:
            await self._transport.text(f"/api/v1/nodes/{node}/proxy/healthz")
        except ApiError:
            return False
        return True

    def _note_written(self, answer: JsonObject) -> KubernetesObject:
        """Remember how new a reader of this kind must be to know of a write."""
        item = KubernetesObject(answer)
        key = (item.api_version, item.kind)
        if item.resource_version.isdigit():
            self._written[key] = max(int(item.resource_version), self._written.get(key, 0))
        return item

    async def _path(self, ref: ObjectRef, subresource: str = "") -> str:
        resource = await self._discovery.find(ref.api_version, ref.kind)
        namespace = ref.namespace or _DEFAULT_NAMESPACE
        return resource.path(namespace=namespace, name=ref.name, subresource=subresource)

    async def _resource_of(self, ref: ObjectRef, subresource: str) -> ApiResource:
        """Return where to post: an Eviction is a document of its own, posted to a Pod."""
        if subresource == "eviction":
            return await self._discovery.find("v1", "Pod")
        return await self._discovery.find(ref.api_version, ref.kind)


def _dry_run(*, dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
