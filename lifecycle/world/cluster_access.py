"""The cluster's Kubernetes API, through whichever control plane answers; never through the VIP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.kubernetes import Kubernetes, parse_kubeconfig
from lifecycle.drivers.process import Listener
from lifecycle.errors import ApiError, UnauthorizedError, UnavailableError
from lifecycle.secrets import Secret
from lifecycle.world.mirror import Mirror

__all__ = ["ClusterAccess"]

# Wall seconds for which a server that said it is ready is taken at its word: asking before each
# request doubles their number, and one that dies in between makes a probe `Unknown` once.
_TRUSTED_S = 1.0


@dataclass(slots=True)
class ClusterAccess:
    """Opens clients lazily and keeps them; `close` at the end of the run.

    `control_planes` are declared addresses, in the order of talconfig. `mirror` holds what was
    read more than once.
    """

    kubeconfig: Path
    control_planes: tuple[str, ...]
    addresses: AddressBook
    listener: Listener | None = None
    _clients: dict[str, Kubernetes] = field(default_factory=dict)
    _replaced: list[Kubernetes] = field(default_factory=list)
    _current: str = ""
    _found_s: float = 0.0
    _text: str = ""
    mirror: Mirror = field(init=False)

    def __post_init__(self) -> None:
        self.mirror = Mirror(self.api)

    async def api(self) -> Kubernetes:
        """Return a client of a control plane that answers.

        Raises:
            UnavailableError: there is no kubeconfig yet, or no API server answers.
            UnauthorizedError: what answers does not belong to this cluster.
        """
        if self._current and self._now_s() - self._found_s > _TRUSTED_S:
            try:
                await self._clients[self._current].readyz()
                self._found_s = self._now_s()
            except ApiError:
                self._current = ""
        if not self._current:
            self._current = await self._find_ready()
            self._found_s = self._now_s()
        return self._clients[self._current]

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    async def readyz(self, address: str) -> str:
        """Ask one control plane whether it is ready; raises as `api`."""
        return await self.client_of(address).readyz()

    def client_of(self, address: str) -> Kubernetes:
        """Return the client of one control plane, whether it answers or not."""
        text = self._read()
        if text != self._text:
            self._replaced += self._clients.values()  # requests may be under way there
            self._clients.clear()
            self._current = ""
            self._text = text
        if address not in self._clients:
            dialled = self.addresses.dial(address)
            parsed = parse_kubeconfig(Secret(text))
            self._clients[address] = Kubernetes(
                parsed, address=address, dialled=dialled, listener=self.listener
            )
        return self._clients[address]

    async def close(self) -> None:
        """Close every connection."""
        await self.mirror.close()
        for client in (*self._clients.values(), *self._replaced):
            await client.close()
        self._clients.clear()
        self._replaced.clear()
        self._current = ""

    async def _find_ready(self) -> str:
        said = "no control plane is declared"
        for address in self.control_planes:
            try:
                await self.readyz(address)
            except UnauthorizedError:
                raise
            except ApiError as error:
                said = error.message
            else:
                return address
        raise UnavailableError(f"no API server answers: {said}")

    def _read(self) -> str:
        try:
            return self.kubeconfig.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise UnavailableError("there is no kubeconfig yet") from error
