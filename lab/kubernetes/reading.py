"""What an API server reads for whoever asks: kinds, objects, lists, and changes as they come.

Synchronous on purpose: nothing here waits, so each call is atomic.
"""

from __future__ import annotations

from weakref import WeakSet

from lab.kubernetes.errors import NotFoundError, UnavailableError
from lab.kubernetes.registry import Registry, Served
from lab.kubernetes.selectors import make_filter
from lab.kubernetes.store import Store
from lab.kubernetes.values import Object, clone_map
from lab.kubernetes.watching import Watch

__all__ = ["ApiReader"]


class ApiReader:
    """Reads objects under the rules of Kubernetes."""

    def __init__(self) -> None:
        self.store = Store()
        self.registry = Registry()
        self.is_available = False  # whether any API server listens
        self._watches: WeakSet[Watch] = WeakSet()

    def interrupt(self) -> None:
        """End every watch: the last API server stopped."""
        for watch in tuple(self._watches):
            watch.fail(UnavailableError("the API server stopped"))

    def check_available(self) -> None:
        """Refuse when no API server listens.

        Raises:
            UnavailableError: none does.
        """
        if not self.is_available:
            raise UnavailableError("connection refused: no API server is listening")

    def serves(self, api_version: str, kind: str) -> bool:
        """Tell whether a kind is served."""
        return self.registry.find(api_version, kind) is not None

    def kind(self, api_version: str, kind: str) -> Served:
        """Find a kind by what manifests say.

        Raises:
            NotFoundError: it is not served.
        """
        found = self.registry.find(api_version, kind)
        if found is None:
            raise NotFoundError.of_kind()
        return found

    def get(self, served: Served, name: str, namespace: str) -> Object:
        """Read one object, as a copy.

        Raises:
            NotFoundError: there is none.
        """
        return served.show(clone_map(self.find_live(served, name, namespace)))

    def list(
        self,
        served: Served,
        namespace: str,
        *,
        labels: str = "",
        fields: str = "",
        version: int | None = None,
    ) -> tuple[list[Object], str]:
        """Read all objects, not to be changed, and the resourceVersion of the list.

        With a version, as they were then.

        Raises:
            GoneError: that is too long ago.
        """
        accepts, resource = make_filter(labels, fields), served.kind.resource
        found = (
            self.store.all(resource, namespace)
            if version is None
            else self.store.all_at(resource, namespace, version)
        )
        objects = [served.show(obj) for obj in found if accepts(obj)]
        return objects, str(self.store.version if version is None else version)

    def watch(
        self, served: Served, namespace: str, *, labels: str = "", fields: str = "", since: str = ""
    ) -> Watch:
        """Follow changes; see `Watch`."""
        watch = Watch(
            self.store,
            served.kind.resource,
            namespace,
            accepts=make_filter(labels, fields),
            show=served.show,
        )
        watch.begin(since)
        self._watches.add(watch)
        return watch

    def find_live(self, served: Served, name: str, namespace: str) -> Object:
        """Find an object as it is stored, not to be changed.

        Raises:
            NotFoundError: there is none.
        """
        kind = served.kind
        live = self.store.get(kind.resource, namespace if kind.namespaced else "", name)
        if live is None:
            raise NotFoundError.of(kind.plural, kind.group, name)
        return live
