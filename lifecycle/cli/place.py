"""From a request to the place where it happens: repository, cluster, state, and the lab."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lifecycle.cli.lab import StandingLab, find_lab, find_lab_folder, start_lab, tell_end
from lifecycle.cli.lab_faults import (
    Schedule,
    follow_repository,
    follow_seed,
    set_faults,
    tell_schedule,
)
from lifecycle.cli.options import check_name
from lifecycle.cli.requests import ClusterRequest, Settings
from lifecycle.errors import PlanError
from lifecycle.store import ClusterState, identify_repository, make_cluster_key

__all__ = ["Site", "check_lab", "find_state", "open_site"]

_SAMPLE = "sample"
_KEY_FILE = "SOPS_AGE_KEY_FILE"
# Wall seconds between two looks at a lab's process; one takes a tenth of a millisecond.
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster that can be worked on: on real machines, or in a lab that stands.

    `addresses` maps declared addresses to those that are dialled, `path` holds folders to search
    before PATH, `env` is for tools; all are empty on real machines, where `speed` is 1.
    `control` is the socket of a lab, over which things are made to go wrong; `schedule` what a
    seed made of that; `kubernetes` which real pair a lab runs, if any; `is_old` whether it works
    on a copy whose original has changed since.
    """

    repo: Path
    cluster: str
    state: ClusterState
    age_key_file: Path | None
    charts: tuple[Path, ...]
    addresses: Mapping[str, str] = field(default_factory=dict)
    path: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    speed: float = 1.0
    is_lab: bool = False
    control: Path | None = None
    schedule: Schedule | None = None
    kubernetes: str = ""
    is_old: bool = False

    @contextmanager
    def told(self, say: Callable[[str], None]) -> Iterator[None]:
        """Say what about a lab is not as usual, and afterwards whether it has ended meanwhile."""
        self.tell(say)
        try:
            yield
        finally:
            if last := self.find_end():
                say(f"lab: its process has ended, and every machine with it: {last}")
                say("lab: the same command makes a new one")

    @asynccontextmanager
    async def watched(self, end: Callable[[], object]) -> AsyncIterator[None]:
        """Call `end` once a lab's process has ended: every wait would be in vain."""
        looking = asyncio.create_task(self._look(end)) if self.is_lab else None
        try:
            yield
        finally:
            if looking is not None:
                looking.cancel()

    async def _look(self, end: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.find_end():
                end()
                return

    def find_end(self) -> str:
        """Return what a lab said last whose process has ended; "" while it stands, or without."""
        return tell_end(self.state) if self.is_lab else ""

    def tell(self, say: Callable[[str], None]) -> None:
        """Say what about a lab is not as usual."""
        if self.kubernetes:
            say(f"lab: Kubernetes is real: {self.kubernetes}")
        if self.is_old:
            say("lab: works on a copy, made when it began; the original has changed since")
            say("lab: `invoke lab.down` first, and the next run takes what is there now")
        tell_schedule(self.schedule, say)


def find_state(settings: Settings, target: ClusterRequest) -> ClusterState:
    """Return where the state of the cluster lives; rehearsals have a root of their own.

    Raises:
        PlanError: the repository has no such cluster, or several and none was named.
    """
    home = settings.state_home / "lab" if target.lab else settings.state_home
    if target.repo is None:
        return ClusterState(home / _SAMPLE)
    cluster = choose_cluster(target.repo, target.cluster)
    # A rehearsal is of this very tree, not of whatever has the same remote.
    identity = str(target.repo) if target.lab else identify_repository(target.repo)
    return ClusterState(home / make_cluster_key(cluster, identity))


def choose_cluster(repo: Path, name: str) -> str:
    """Return the cluster that is meant: the one named, or the only one there is.

    Raises:
        PlanError: there is none of that name, none at all, or several and none was named.
    """
    from inventory import list_clusters  # noqa: PLC0415 (start-up)

    names = list_clusters(repo)
    if not names:
        raise PlanError(
            f"repository holds no cluster: `{repo}`",
            hint="a cluster is a folder clusters/<name> with a clusterenv.yaml",
        )
    if name:
        check_name("cluster", name, names)
        return name
    if len(names) > 1:
        raise PlanError(
            f"repository holds several clusters: `{', '.join(names)}`",
            hint=f"choose one, for example --cluster {names[0]}",
        )
    return names[0]


def open_site(state: ClusterState, target: ClusterRequest) -> Site:
    """Return the site; in the lab, find the one that stands or start it. Needs the lock.

    Raises:
        LifecycleError: the lab did not start.
    """
    if target.lab is None:
        assert target.repo is not None  # noqa: S101 (read_cluster refuses anything else)
        cluster = choose_cluster(target.repo, target.cluster)
        return Site(target.repo, cluster, state, target.age_key_file, target.charts)
    lab = find_lab(state)
    is_old = False
    if lab is None:
        lab = start_lab(state, target, _find_tools(), meanwhile=_load_ahead)
    else:
        is_old = follow_repository(lab.control)
        set_faults(lab.control, target.lab.faults, target.lab.fault_files)
    check_lab(lab, target)
    if target.cluster:
        check_name("cluster", target.cluster, [lab.cluster])
    site = replace(_site_of(lab, state, target), is_old=is_old)
    if target.lab.seed is None:
        return site
    return replace(site, schedule=follow_seed(lab.control, target.lab.seed))


def check_lab(lab: StandingLab, target: ClusterRequest) -> None:
    """Refuse another speed than the standing lab's, and a real pair where it runs its own.

    Raises:
        PlanError: neither can change while it stands.
    """
    if target.lab and target.lab.assets and not lab.kubernetes:
        raise PlanError(
            f"lab runs Kubernetes of its own, not the pair of `{target.lab.assets}`",
            hint="stop it with `invoke lab.down` first, or unset KUBEBUILDER_ASSETS",
        )
    wanted = target.lab.speed if target.lab else None
    if wanted is not None and wanted != lab.speed:
        raise PlanError(
            f"lab runs at another speed: `{lab.speed:g}`, wanted {wanted:g}",
            hint="stop it with `invoke lab.down` first, or leave --speed out",
        )


def _find_tools() -> tuple[Path, ...]:
    from lifecycle.cli.lab_tools import find_lab_tools  # noqa: PLC0415 (start-up)

    return find_lab_tools()


def _site_of(lab: StandingLab, state: ClusterState, target: ClusterRequest) -> Site:
    # The key that the lab made decrypts what the lab encrypted; the user's own cannot.
    known = lab.env.get(_KEY_FILE)
    is_made = known is not None and find_lab_folder(state) in Path(known).parents
    is_replaced = target.age_key_file is not None and not is_made
    key = target.age_key_file if is_replaced else Path(known) if known else None
    env = {name: value for name, value in lab.env.items() if name != _KEY_FILE or not is_replaced}
    return Site(
        repo=lab.repo,
        cluster=lab.cluster,
        state=state,
        age_key_file=key,
        charts=(*target.charts, *(path for path in lab.charts if path not in target.charts)),
        addresses=lab.addresses,
        path=lab.path,
        env=env,
        speed=lab.speed,
        is_lab=True,
        control=lab.control,
        kubernetes=lab.kubernetes,
    )


def _load_ahead() -> None:
    """Import what a run loads late, while its lab takes a second to start."""
    from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: F401, PLC0415 (start-up)

    from lifecycle.drivers.registry import load_client  # noqa: PLC0415 (start-up)
    from lifecycle.report import live, log  # noqa: F401, PLC0415 (start-up)

    load_client()
