"""A network of a Docker engine for the tests of one module, its containers for one test each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.containers_network import ContainerNetwork, make_network


@pytest.fixture(scope="module")
def engine_network() -> Iterator[ContainerNetwork]:
    """A network of an engine; skips with the reason where there is none."""
    made = make_network()
    yield made
    made.network.remove()


@pytest.fixture
def network(engine_network: ContainerNetwork) -> Iterator[ContainerNetwork]:
    """The network, without containers yet; those of the test are removed."""
    yield engine_network
    engine_network.clear()
