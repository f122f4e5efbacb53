"""What the lab's components make of refusals by a real API server, without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.kubernetes.errors import InvalidError
from lab.kubernetes.kinds import Kind
from lab.kubernetes.registry import Registry
from lab.kubernetes.store import Place
from lab.kubernetes.users import ADMIN, User
from lab.kubernetes.values import Object
from lab.real.channel import Channel
from lab.real.mirror import MirrorStore
from lab.real.remote import Remote
from lab.real.writing import RemoteWriter

_TAKEN = (
    'Service "kubernetes" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to '
    "allocate IP 10.96.0.1: provided IP is already allocated"
)
_SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "kubernetes", "namespace": "default"},
}


class Refusing(Remote):
    """An API server that refuses what is created, and may have made the object itself."""

    def __init__(self, message: str, *, has_it: bool) -> None:
        super().__init__(Channel(0), MirrorStore())
        self._message, self._has_it = message, has_it

    def create(
        self,
        kind: Kind,
        obj: Object,
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        user: User = ADMIN,
    ) -> Object:
        """Refuse."""
        del kind, obj, subresource, query, user
        raise InvalidError(self._message)

    def refresh(self, kind: Kind, place: Place) -> Object | None:
        """Tell what is there."""
        del kind, place
        return _SERVICE if self._has_it else None


def _plant(remote: Remote) -> Object | None:
    kind = Registry().of_resource("services")
    assert kind is not None
    return RemoteWriter(remote, MirrorStore(), lambda: None).plant(kind, _SERVICE)


def test_service_that_the_server_makes_itself() -> None:
    """Of several API servers that begin at once, one makes it first, and it is there."""
    assert _plant(Refusing(_TAKEN, has_it=True)) is None


def test_service_whose_address_somebody_else_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not there after a while, and the refusal is told."""
    monkeypatch.setattr("lab.real.writing._LOOK_S", 0.0)

    with pytest.raises(InvalidError, match="already allocated"):
        _plant(Refusing(_TAKEN, has_it=False))


def test_other_refusals_are_told_at_once() -> None:
    """An object that is wrong is never waited for."""
    with pytest.raises(InvalidError, match="must be positive"):
        _plant(Refusing("spec.replicas must be positive", has_it=True))
