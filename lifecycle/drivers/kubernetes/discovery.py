"""Which path a kind is served at; kinds come and go with their CRDs."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.drivers.documents import flag_at, list_at, text_at, texts_at
from lifecycle.drivers.kubernetes.transport import Transport
from lifecycle.errors import NotFoundError

__all__ = ["ApiResource", "Discovery"]


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A kind as the server serves it."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: tuple[str, ...]

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of the collection, of an object or of a part of it."""
        root = (
            f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        )
        place = f"/namespaces/{namespace}" if namespace and self.is_namespaced else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{place}/{self.plural}{tail}"


class Discovery:
    """The kinds of a server: asked once for each group and version, again when a kind is new."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[tuple[str, str], ApiResource] = {}

    async def find(self, api_version: str, kind: str) -> ApiResource:
        """Return how a kind is served.

        Raises:
            NotFoundError: The server does not serve it (yet); `reason` is `KindNotServed`.
            ApiError: The server did not answer.
        """
        known = self._known.get((api_version, kind))
        if known is not None:
            return known
        await self._refresh(api_version)
        known = self._known.get((api_version, kind))
        if known is None:
            raise _not_served(api_version, kind)
        return known

    def forget(self) -> None:
        """Drop what is known: a CRD may have changed its scope or gone away."""
        self._known.clear()

    async def _refresh(self, api_version: str) -> None:
        root = "/apis/" if "/" in api_version else "/api/"
        try:
            answer = await self._transport.request("GET", root + api_version)
        except NotFoundError:
            return
        for entry in list_at(answer, "resources"):
            name, kind = text_at(entry, "name"), text_at(entry, "kind")
            if "/" not in name:
                self._known[api_version, kind] = ApiResource(
                    api_version, kind, name, flag_at(entry, "namespaced"), texts_at(entry, "verbs")
                )


def _not_served(api_version: str, kind: str) -> NotFoundError:
    return NotFoundError(
        f"kind is not served: `{api_version} {kind}`", status=404, reason="KindNotServed"
    )
