"""Members of etcd as real processes on their machines' loopback addresses."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.kubernetes.values import Object, dig, maps, text
from lab.ports import EtcdHostError, EtcdSeat, EtcdState
from lab.real.etcd_client import EtcdClient
from lab.real.grafting import graft_database
from lab.real.keys import write_etcd_keys
from lab.real.programs import Child, Programs
from lab.vital import begin_vital, end_tasks

__all__ = ["ETCD_PORTS", "RealEtcd"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

ETCD_PORTS = _CLIENT_PORT, _PEER_PORT = (2379, 2380)
# Wall seconds. Measured: 1 to 3 s on two busy cores.
_LONGEST_START_S = 60.0
_POLL_S = 0.1
_GRACE_S = 3.0
_LOOK_S = 0.5
# First every machine learns who is not heard; a write that etcd does not answer stops the lab.
_UNHEARD_AFTER_S = 0.1
_CLUSTER = "etcd-cluster"  # etcd's default token; others make other ids
# Refusals that pass: of a promotion, and of changes while the last member is connected for less
# than five seconds.
_NOT_IN_SYNC = "learner which is in sync with leader"
_UNHEALTHY = "unhealthy cluster"


@dataclass(frozen=True, slots=True)
class _Member:
    seat: EtcdSeat
    child: Child
    is_up: bool  # it started once: whoever waits for that deals with its end


class RealEtcd:
    """What runs behind the members that machines keep (`lab.ports.EtcdHost`)."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._running: dict[str, _Member] = {}
        self._suspended: set[str] = set()
        self._unheard: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def form(self, seat: EtcdSeat, snapshot: bytes | None) -> int:
        """Begin a cluster of one member, with a snapshot's data if given; returns its id."""
        await self.wipe(seat.name)
        # etcdutl restores under an empty token: members of the old cluster that are left are
        # strangers then, although name and address of this one are the same.
        cluster = _CLUSTER if snapshot is None else ""
        await self._launch(seat, "new", f"{seat.name}={_peer_url(seat.loopback)}", cluster=cluster)
        if snapshot is not None:
            await self.stop(seat.name)
            database = self._data(seat.name) / "member" / "snap" / "db"
            await asyncio.to_thread(graft_database, database, snapshot)
            await self._launch(seat, "existing", "")
        status = await self._ask(seat.name, lambda client: client.ask("maintenance/status"))
        return int(text(status, "header", "member_id"))

    async def join(self, seat: EtcdSeat, peer: str) -> int:
        """Add a learner by the member named `peer`, and start it; returns its id."""
        await self.wipe(seat.name)
        url = _peer_url(seat.loopback)
        body: Object = {"peerURLs": [url], "isLearner": True}
        added = await self._ask_until(peer, "cluster/member/add", body, _UNHEALTHY)
        # A member that never started has no name yet: that is the new one.
        members = [
            f"{text(member, 'name') or seat.name}={address}"
            for member in maps(added, "members")
            for address in [str(item) for item in _list(member, "peerURLs")]
        ]
        identity = int(text(added, "member", "ID"))
        try:
            await self._launch(seat, "existing", ",".join(members), is_learner=True)
        except EtcdHostError:
            await self.remove(peer, identity)
            raise
        return identity

    async def start(self, seat: EtcdSeat) -> None:
        """Start a member again with the data that it has."""
        if seat.name not in self._running:
            # Others may have to come up before it is healthy; the machine waits for the quorum.
            self._spawn(seat, "existing", "", is_up=True)

    async def promote(self, name: str, member: int) -> None:
        """Make a learner a voter once it has caught up."""
        body: Object = {"ID": str(member)}
        await self._ask_until(name, "cluster/member/promote", body, _NOT_IN_SYNC)

    async def remove(self, name: str, member: int) -> None:
        """Take a member off the list."""
        body: Object = {"ID": str(member)}
        await self._ask_until(name, "cluster/member/remove", body, _UNHEALTHY)

    async def forfeit(self, name: str, heir: int) -> None:
        """Have the member `heir` lead instead of the one named `name`, which leads."""
        body: Object = {"targetID": str(heir)}
        await self._ask(name, lambda client: client.ask("maintenance/transfer-leadership", body))

    async def stop(self, name: str) -> None:
        """End a member's process; its data stays."""
        # Who stands still cannot end by itself.
        grace_s = 0.0 if self._stands_still(name) else _GRACE_S
        self._suspended.discard(name)
        member = self._running.pop(name, None)
        if member is not None:
            await member.child.end(grace_s)

    def suspend(self, name: str, *, on: bool) -> None:
        """Let a member's process stand still, or go on: it answers nobody meanwhile."""
        (self._suspended.add if on else self._suspended.discard)(name)
        self._settle(name)

    def hear(self, name: str, *, is_heard: bool) -> None:
        """Let a member's process stand still while the others do not hear it.

        What is on its side of the line, its API server, finds no etcd then, as without a quorum.
        """
        if is_heard and name in self._unheard:
            self._unheard.discard(name)
            self._settle(name)
        elif not is_heard and name not in self._unheard:
            self._unheard.add(name)
            asyncio.get_running_loop().call_later(_UNHEARD_AFTER_S, self._settle, name)

    async def wipe(self, name: str) -> None:
        """End a member's process and delete its data."""
        await self.stop(name)
        shutil.rmtree(self._data(name), ignore_errors=True)

    async def take_snapshot(self, name: str) -> bytes:
        """Read a member's database, with its checksum behind it."""
        return await self._ask(name, lambda client: client.take_snapshot())

    async def describe(self, name: str) -> EtcdState:
        """Ask a member for its state."""
        status = await self._ask(name, lambda client: client.ask("maintenance/status"))

        def read(key: str) -> int:
            found = text(status, key)
            return int(found) if found.isdigit() else 0

        return EtcdState(
            version=text(status, "version"),
            db_size=read("dbSize"),
            db_size_in_use=read("dbSizeInUse"),
            leader=read("leader"),
            raft_index=read("raftIndex"),
            raft_term=read("raftTerm"),
        )

    async def close(self) -> None:
        """End every process."""
        keeper, self._keeper = self._keeper, None
        await end_tasks(keeper)
        await asyncio.gather(*(self.stop(name) for name in list(self._running)))

    async def _keep_running(self) -> None:
        """Start a member that ended by itself again, as Talos does with its services."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for name, member in list(self._running.items()):
                if member.is_up and not member.child.runs:
                    _log.warning("%s: etcd ended, and is started again", name)
                    self._spawn(member.seat, "existing", "", is_up=True)

    async def _launch(
        self,
        seat: EtcdSeat,
        state: str,
        members: str,
        *,
        is_learner: bool = False,
        cluster: str = _CLUSTER,
    ) -> None:
        """Start a member and wait until it is healthy; a learner never says that it is."""
        child = self._spawn(seat, state, members, cluster=cluster)
        deadline = time.monotonic() + _LONGEST_START_S
        async with self._open(seat) as client:
            while not (await client.is_listening() if is_learner else await client.is_healthy()):
                if not child.runs or time.monotonic() > deadline:
                    await self.stop(seat.name)
                    raise EtcdHostError(f"etcd does not start:\n{child.read_tail()}")
                await asyncio.sleep(_POLL_S)
        self._running[seat.name] = _Member(seat, child, is_up=True)
        if self._keeper is None:
            self._keeper = begin_vital(self._keep_running(), "keeper of etcd")

    def _spawn(
        self,
        seat: EtcdSeat,
        state: str,
        members: str,
        *,
        is_up: bool = False,
        cluster: str = _CLUSTER,
    ) -> Child:
        folder = self._folder / seat.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_etcd_keys(folder, seat)
        arguments = _list_arguments(folder, self._data(seat.name), seat, state, members)
        arguments.append(f"--initial-cluster-token={cluster}")
        child = Child(self._programs.etcd, arguments, folder / "etcd.log")
        self._running[seat.name] = _Member(seat, child, is_up=is_up)
        self._settle(seat.name)
        return child

    def _stands_still(self, name: str) -> bool:
        return name in self._suspended or name in self._unheard

    def _settle(self, name: str) -> None:
        if member := self._running.get(name):
            member.child.suspend(on=self._stands_still(name))

    async def _ask(self, name: str, call: Callable[[EtcdClient], Awaitable[_T]]) -> _T:
        member = self._running.get(name)
        if member is None:
            raise EtcdHostError(f"etcd does not run on {name}")
        async with self._open(member.seat) as client:
            return await call(client)

    async def _ask_until(self, name: str, call: str, body: Object, passing: str) -> Object:
        """Ask again while the answer is a refusal that passes."""
        deadline = time.monotonic() + _LONGEST_START_S
        while True:
            try:
                return await self._ask(name, lambda client: client.ask(call, body))
            except EtcdHostError as error:
                if passing not in str(error) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_S)

    def _open(self, seat: EtcdSeat) -> EtcdClient:
        return EtcdClient(f"https://{seat.loopback}:{_CLIENT_PORT}", self._folder / seat.name)

    def _data(self, name: str) -> Path:
        return self._folder / name / "data"


def _list(member: Object, key: str) -> Sequence[object]:
    found = dig(member, key)
    return found if isinstance(found, list) else ()


def _peer_url(loopback: str) -> str:
    return f"https://{loopback}:{_PEER_PORT}"


def _list_arguments(
    folder: Path, data: Path, seat: EtcdSeat, state: str, members: str
) -> list[str]:
    client_url, peer_url = f"https://{seat.loopback}:{_CLIENT_PORT}", _peer_url(seat.loopback)
    cluster = [f"--initial-cluster={members}", f"--initial-cluster-state={state}"]
    tls = [
        f"--{kind}{option}={folder / file}"
        for kind in ("", "peer-")
        for option, file in (
            ("cert-file", "member.crt"),
            ("key-file", "member.key"),
            ("trusted-ca-file", "ca.crt"),
        )
    ]
    return [
        f"--name={seat.name}",
        f"--data-dir={data}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        *(cluster if members else ()),
        *tls,
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--log-level=warn",
        # A lab's data need not survive this computer's power.
        "--unsafe-no-fsync",
    ]
