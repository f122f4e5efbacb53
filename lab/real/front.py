"""Where clients reach one real API server: on the lines of its machine and of the VIP.

Connections pass through as they are. While a fault of its answers is on, new ones end at a
`Terminator`, which those that stood are sent to by a reset.
"""

from __future__ import annotations

from lab.kubernetes.ailing import Health
from lab.kubernetes.http.server import ApiServer
from lab.kubernetes.pki import make_server_context, server_names
from lab.network import Line, Lines, Served
from lab.ports import KubernetesPki, NodeFacts
from lab.real.passage import Passages, Target
from lab.real.terminator import Terminator

__all__ = ["HIDDEN_PORTS", "SERVER_PORT", "Front"]

# Behind the front: the API server itself, and what ends TLS before it.
HIDDEN_PORTS = SERVER_PORT, _TERMINATOR_PORT = (16443, 16444)


class Front:
    """The front of one API server, from `open` to `close`."""

    def __init__(
        self, lines: Lines, node: NodeFacts, port: int, pki: KubernetesPki, health: Health
    ) -> None:
        self._lines = lines
        self._node = node
        self._port = port
        self._pki = pki
        self.health = health
        self._is_ailing = False
        self._passages: dict[str, Passages] = {}  # by the address that clients dialled
        self._terminator = Terminator(pki, (node.loopback, SERVER_PORT), health)
        self._ending = ApiServer(self._terminator)
        self._served: dict[str, Served] = {}

    @property
    def vip(self) -> str:
        """The VIP that it answers on; "" when on none."""
        return next((host for host in self._served if host != self._node.loopback), "")

    async def open(self) -> None:
        """Begin to answer.

        Raises:
            OSError: somebody else listens there.
        """
        context = make_server_context(self._pki, server_names(self._node))
        # On a line of its own: the machine's has let pass already what comes here.
        hidden = Lines(self.health.clock)[self._node.loopback]
        await self._ending.listen(hidden, _TERMINATOR_PORT, context)
        self._serve(self._lines[self._node.loopback])

    def take_vip(self) -> None:
        """Answer on the VIP, too; it is as good as the line of the machine."""
        line = self._lines[self._node.vip_loopback]
        line.follow(self._lines[self._node.loopback])
        self._serve(line)

    def leave_vip(self) -> None:
        """Answer on the VIP no more; open connections are cut."""
        if self.vip:
            host = self.vip
            self._served.pop(host).close()
            self._passages.pop(host).cut()

    def set_ailing(self, *, is_ailing: bool) -> None:
        """Have what is asked suffer from now on, or not any more."""
        begins = is_ailing and not self._is_ailing
        self._is_ailing = is_ailing
        if begins:
            self._cut(keeps=self._find_target())

    def hush(self) -> None:
        """Be gone for a while: nobody listens, open connections are cut."""
        for served in self._served.values():
            served.close()
        self._cut()

    def resume(self) -> None:
        """Be there again, where it was."""
        for host in list(self._served):
            self._serve(self._lines[host])

    async def close(self) -> None:
        """Answer no more; open connections are cut."""
        self.hush()
        self._served.clear()
        await self._ending.close()
        await self._terminator.close()

    def _serve(self, line: Line) -> None:
        passages = self._passages.setdefault(line.host, Passages(self._find_target))
        self._served[line.host] = line.serve(self._port, passages.make)

    def _cut(self, *, keeps: Target | None = None) -> None:
        for passages in self._passages.values():
            passages.cut(keeps=keeps)

    def _find_target(self) -> Target:
        port = _TERMINATOR_PORT if self._is_ailing else SERVER_PORT
        return self._node.loopback, port
