"""Which Secrets sources sign in with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from inventory import Source
from inventory.model import SourceKey
from lifecycle.drivers.documents import Json
from lifecycle.world import World
from lifecycle.world.source_secrets import find_needed, list_secrets


def source(name: str, **spec: Json) -> Source:
    """A GitRepository in a namespace of its own."""
    key = SourceKey("GitRepository", f"{name}-system", name)
    return Source(key, f"https://git.lab.example/{name}", "", {}, raw={"spec": spec})


def test_every_secret_that_a_source_names_is_listed() -> None:
    """Access, certificates, proxy and the keys of signatures, in the source's own namespace."""
    listed = list_secrets(
        source(
            "a",
            secretRef={"name": "access"},
            certSecretRef={"name": "ca"},
            proxySecretRef={"name": "proxy"},
            verify={"provider": "cosign", "secretRef": {"name": "keys"}},
        ),
        source("b"),
    )

    assert listed == {("a-system", name) for name in ("access", "ca", "proxy", "keys")}


def test_only_the_entries_own_source_cannot_do_without() -> None:
    """Flux reads nothing before it; what other sources need may come later."""
    own, other = source("own", secretRef={"name": "key"}), source("x", secretRef={"name": "pull"})
    entry = SimpleNamespace(source=own.key)
    inventory = SimpleNamespace(entries=(entry,), sources=(own, other))

    assert {("own-system", "key")} == find_needed(
        cast("World", SimpleNamespace(inventory=inventory))
    )
