"""etcd as the machines hold it: members, learners, quorum, data directories.

The data of a cluster is only its membership: what Kubernetes stores lives in the lab's Kubernetes.
Texts are etcd's and Talos' own (`internal/pkg/etcd`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from lab.ports import EtcdSeat
from lab.snapshots import StoredKey

__all__ = [
    "NOT_ENOUGH_STARTED",
    "UNHEALTHY",
    "EtcdCluster",
    "EtcdData",
    "EtcdMember",
    "NoEtcdProcesses",
]

NOT_ENOUGH_STARTED = "etcdserver: re-configuration failed due to not enough started members"
UNHEALTHY = "etcdserver: unhealthy cluster"

_DB_SIZE = 6_500_000  # bytes; of a small cluster a few hours old


@dataclass(slots=True)
class EtcdMember:
    """A member in the cluster's list; `is_started` follows the machine that runs it."""

    id: int
    name: str  # host name of the machine
    address: str
    is_learner: bool = False
    is_started: bool = False
    is_cut_off: bool = False  # follows the machine's network

    @property
    def runs(self) -> bool:
        """Tell whether the other members hear of it."""
        return self.is_started and not self.is_cut_off

    @property
    def peer_url(self) -> str:
        """URL that the other members reach it at."""
        return f"https://{self.address}:2380"

    @property
    def client_url(self) -> str:
        """URL for clients; a member that has never started has none."""
        return f"https://{self.address}:2379"


class EtcdCluster:
    """One etcd cluster: `authority` names the etcd CA that its members share."""

    def __init__(self, authority: str, cluster_number: int) -> None:
        self.authority = authority
        self._number = cluster_number
        self._added = 0
        self._changes = 0
        self.term = 2  # etcd's first election gives term 2
        self.members: dict[int, EtcdMember] = {}
        self.cause = 0  # the wait after which it could be joined (`lab.ledger`)
        self.open_since_s = 0.0  # when that was, in simulated seconds of the lab
        self.holds_kubernetes = False  # true once Kubernetes was told to begin on it
        self.recovered: Sequence[StoredKey] | None = None  # what a snapshot gave it to begin with

    @property
    def has_quorum(self) -> bool:
        """Tell whether more than half of the voters run."""
        voters = [member for member in self.members.values() if not member.is_learner]
        heard = [m for m in voters if m.runs or (m.is_started and len(voters) == 1)]
        return len(heard) > len(voters) // 2

    @property
    def leader(self) -> EtcdMember | None:
        """The running voter that leads, when there is a quorum."""
        if not self.has_quorum:
            return None
        voters = [m for m in self.members.values() if m.is_started and not m.is_learner]
        voters.sort(key=lambda member: member.is_cut_off)
        return voters[0] if voters else None

    @property
    def revision(self) -> int:
        """Raft index: grows with every change of membership."""
        return 1_000 + 10 * self._changes

    @property
    def db_size(self) -> int:
        """Size of the database in bytes."""
        return _DB_SIZE

    def add(self, name: str, address: str, *, is_learner: bool, identity: int = 0) -> EtcdMember:
        """Add a member to the list, under an id of its own unless it has one."""
        self._added += 1
        self._changes += 1
        seed = f"{self._number}/{self._added}/{name}/{address}"
        identity = identity or int.from_bytes(sha256(seed.encode()).digest()[:8], "big")
        member = EtcdMember(identity, name, address, is_learner=is_learner)
        self.members[identity] = member
        return member

    def rename(self, member: EtcdMember, identity: int) -> None:
        """Give a member the id that etcd itself gave it; 0 leaves it as it is."""
        if identity:
            del self.members[member.id]
            member.id = identity
            self.members[identity] = member

    def promote(self, member: EtcdMember) -> None:
        """Make a learner a voter."""
        member.is_learner = False
        self._changes += 1

    def find_removal_problem(self, member_id: int, asked_of: int) -> str:
        """Find what forbids to remove a member; "" when nothing does.

        etcd's strict reconfiguration (`server/etcdserver/server.go`, `mayRemoveMember`): those
        that stay must be able to have a quorum, and one that runs must not be needed for it.
        `asked_of` is the member that was asked.
        """
        voters = [member for member in self.members.values() if not member.is_learner]
        leaving = self.members[member_id]
        if leaving.is_learner:
            return ""
        if len(voters) == 1:
            return NOT_ENOUGH_STARTED
        if not leaving.is_started and member_id != asked_of:
            return ""
        running = sum(member.is_started for member in voters)
        return UNHEALTHY if running - 1 < 1 + (len(voters) - 1) // 2 else ""

    @property
    def takes_members(self) -> bool:
        """Tell whether a member may be added: one learner at a time, and every voter runs.

        The latter is strict reconfiguration again (`isConnectedFullySince`), the former
        `--max-learners`, 1 by default.
        """
        return all(m.runs and not m.is_learner for m in self.members.values())

    def remove(self, member_id: int) -> None:
        """Take a member off the list."""
        del self.members[member_id]
        self._changes += 1

    def forfeit(self, member: EtcdMember) -> None:
        """Move the member to the end, so that another leads."""
        self.members[member.id] = self.members.pop(member.id)
        self.term += 1


@dataclass(slots=True)
class EtcdData:
    """A machine's etcd data directory that is not empty: which cluster, and as whom."""

    cluster: EtcdCluster
    member: EtcdMember
    alarms: list[str] = field(default_factory=list)

    @property
    def is_member(self) -> bool:
        """Tell whether the cluster still lists this member."""
        return self.member.id in self.cluster.members

    @property
    def is_alone(self) -> bool:
        """Tell whether there is no other member that it would have to hear."""
        return len(self.cluster.members) == 1

    @property
    def answers(self) -> bool:
        """Tell whether the member runs and is of those that have a quorum."""
        is_heard = self.member.runs or (self.member.is_started and self.is_alone)
        return is_heard and self.cluster.has_quorum


class NoEtcdProcesses:
    """Nothing runs behind the members: what a machine notes of them is all there is."""

    async def form(self, _seat: EtcdSeat, _snapshot: bytes | None) -> int:
        """Leave the id to the caller."""
        return 0

    async def join(self, _seat: EtcdSeat, _peer: str) -> int:
        """Leave the id to the caller."""
        return 0

    async def start(self, _seat: EtcdSeat) -> None:
        """Do nothing."""

    async def promote(self, _name: str, _member: int) -> None:
        """Do nothing."""

    async def remove(self, _name: str, _member: int) -> None:
        """Do nothing."""

    async def forfeit(self, _name: str, _heir: int) -> None:
        """Do nothing."""

    async def stop(self, _name: str) -> None:
        """Do nothing."""

    def hear(self, _name: str, *, is_heard: bool) -> None:
        """Do nothing."""

    async def wipe(self, _name: str) -> None:
        """Do nothing."""

    async def take_snapshot(self, _name: str) -> None:
        """Leave the database to the caller."""

    async def describe(self, _name: str) -> None:
        """Leave the state to the caller."""
