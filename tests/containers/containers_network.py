"""A Docker network on which each machine of the lab has an address, and what happens to it.

A container is the network end of one machine: it holds the address, and the lab listens in its
network namespace. What a client sends goes over the engine's bridge and the container's link, and
is lost, slowed or refused there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import docker.errors
import pytest
import requests
from docker.models.containers import Container
from docker.models.networks import Network as DockerNetwork
from docker.types import IPAMConfig, IPAMPool
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from lab.addresses import Addresses
from tests.containers.image import COMMAND, ImageError, pack_image
from tests.containers.namespaces import Namespace

__all__ = ["ContainerNetwork", "make_network"]

_IMAGE = "talos-lifecycle-lab-end"
_FAILURES = (docker.errors.DockerException, requests.RequestException, OSError)
# RFC 2544's addresses for tests: no network of anybody's.
_BASE = (198, 18)
# Late and narrow where the kernel has netem; else the narrow pipe alone.
_QDISCS = (
    ("netem", "delay", "100ms", "rate"),
    ("tbf", "burst", "2000", "limit", "1000000", "rate"),
)


@dataclass(slots=True)
class _End:
    """A container, its address and its namespace."""

    container: DockerContainer
    address: str
    namespace: Namespace


@dataclass(slots=True)
class ContainerNetwork:
    """Ends of machines on one network; `stop` takes them away."""

    network: Network
    _ends: dict[str, _End] = field(default_factory=dict)

    def reserve(self, declared: Sequence[str], more_ports: Sequence[int] = ()) -> Addresses:
        """Give each declared address a container, and say how to listen there."""
        del more_ports  # in a container every port is free
        found: Mapping[str, str] = {address: self._add() for address in declared}
        return Addresses(found, self.bind)

    def bind(self, host: str, port: int) -> socket.socket:
        """Bind in the container that has the address."""
        return self._ends[host].namespace.bind(host, port)

    def partition(self, host: str) -> None:
        """Take a container off the network: nothing reaches it, nothing comes back."""
        self._raw.disconnect(self._wrapped(host))

    def mend(self, host: str) -> None:
        """Put a container back on the network, at its old address."""
        self._raw.connect(self._wrapped(host), ipv4_address=host)

    def slow(self, host: str, rate: str) -> None:
        """Let what a container sends be late and little a second, as far as the kernel can."""
        for words in _QDISCS:
            if self._tc(host, "add", *words, rate) == 0:
                return
        pytest.skip("the kernel has neither netem nor tbf")

    def hasten(self, host: str) -> None:
        """End `slow`."""
        self._tc(host, "del")

    def kill(self, host: str) -> None:
        """End a container: its link is gone from one moment to the next."""
        self._wrapped(host).kill()

    def revive(self, host: str) -> None:
        """Start a container that was killed; who listens there must do so anew."""
        end = self._ends[host]
        container = self._wrapped(host)
        container.start()
        end.namespace.close()
        end.namespace = _open_namespace(container)

    def clear(self) -> None:
        """Remove the containers."""
        for end in self._ends.values():
            end.namespace.close()
            end.container.stop()
        self._ends.clear()

    def _add(self) -> str:
        container = DockerContainer(_IMAGE).with_command(COMMAND).with_network(self.network)
        container.start()
        wrapped = container.get_wrapped_container()
        wrapped.reload()
        networks = wrapped.attrs["NetworkSettings"]["Networks"]
        address = str(networks[self.network.name]["IPAddress"])
        self._ends[address] = _End(container, address, _open_namespace(wrapped))
        return address

    def _wrapped(self, host: str) -> Container:
        return self._ends[host].container.get_wrapped_container()

    @property
    def _raw(self) -> DockerNetwork:
        return self.network._unwrap_network  # testcontainers cannot disconnect

    def _tc(self, host: str, verb: str, *words: str) -> int:
        if shutil.which("tc") is None:
            pytest.skip("no `tc` on PATH")
        run = partial(subprocess.run, capture_output=True, check=False)
        links = self._ends[host].namespace.call(lambda: [name for _, name in socket.if_nameindex()])
        (link,) = (name for name in links if name != "lo")
        argv = ["tc", "qdisc", verb, "dev", link, "root", *words]
        return self._ends[host].namespace.call(lambda: run(argv)).returncode


def make_network() -> ContainerNetwork:
    """Make a network without machines; skips the test with the reason where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("containers: listening in a container's network takes root")
    testcontainers_config.ryuk_disabled = True  # its image would have to be pulled
    try:
        engine = DockerClient()
        engine.client.ping()
    except _FAILURES as error:
        pytest.skip(f"containers: no Docker engine answers: {_first_line(error)}")
    try:
        engine.client.api.import_image_from_data(pack_image(), _IMAGE, "latest")
        pool = IPAMPool(subnet=_choose_subnet())
        network = Network(docker_network_kw={"ipam": IPAMConfig(pool_configs=[pool])}).create()
    except (*_FAILURES, ImageError) as error:
        pytest.skip(f"containers: the Docker engine cannot be used: {_first_line(error)}")
    return ContainerNetwork(network)


def _choose_subnet() -> str:
    """Choose by the process, as workers test side by side."""
    return f"{_BASE[0]}.{_BASE[1] + os.getpid() // 256 % 2}.{os.getpid() % 256}.0/24"


def _open_namespace(container: Container) -> Namespace:
    container.reload()
    return Namespace(int(container.attrs["State"]["Pid"]))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
