"""What a fault is, and what it needs to strike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Protocol

__all__ = [
    "Answer",
    "FaultError",
    "Hands",
    "RunningFault",
    "Strike",
    "Target",
    "list_machines",
    "refuse_unknown",
    "strike_pods",
]


class FaultError(ValueError):
    """A fault that was asked for cannot be made; a note of it holds the hint."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.add_note(f"hint: {hint}")


def refuse_unknown(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known, with the nearest one that is.

    Raises:
        FaultError: `name` is not among `known`.
    """
    names = sorted(filter(None, known))
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names) or 'none'}"
    raise FaultError(f"{what} is unknown: `{name}`", hint=hint)


class Target(StrEnum):
    """What a fault strikes, as `NAME:TARGET` gives it."""

    WORKER = "machine"
    """A machine's name; without it, the last worker."""
    CONTROL_PLANE = "control plane"
    """A control plane's name; without it, the last one."""
    API = "API server"
    """A control plane's name; without it, the API servers of all."""
    INSTALLER = "installer image"
    """A part of installer images' `name:version`; without it, every one."""
    IMAGE = "image"
    """A part of the images of pods; must be given."""
    POD = "pods"
    """`namespace/prefix` of pods; must be given."""
    WEBHOOK = "webhook"
    """`namespace/prefix` of the Service that serves webhooks; must be given."""
    VOLUME = "volume"
    """`namespace/prefix` of the pods that use Longhorn's volumes; must be given."""
    RESTORE = "restore"
    """`namespace/prefix` of VolSync's ReplicationDestinations; must be given."""
    RECOVERY = "recovery"
    """`namespace/prefix` of CloudNativePG's Clusters that are recovered; must be given."""
    DATABASE = "database"
    """`namespace/prefix` of CloudNativePG's Clusters; must be given."""
    SOURCE = "source"
    """`namespace/prefix` of GitRepositories; without it, all of flux-system."""
    CHARTS = "charts"
    """`namespace/prefix` of HelmRepositories or HelmCharts; without it, all of flux-system."""
    ARTIFACTS = "artifacts"
    """`namespace/prefix` of OCIRepositories, or HelmCharts from registries; without it, all."""


class _Machine(Protocol):
    def set_fault(self, name: str, *, on: bool = True) -> None: ...


class _Machines(Protocol):
    def __getitem__(self, name: str) -> _Machine: ...


class _Named(Protocol):
    def set_fault(self, target: str, fault: str, *, on: bool = True) -> None: ...


class _Registry(Protocol):
    def set_absent(self, part: str, *, on: bool = True) -> None: ...


@dataclass(frozen=True, slots=True)
class Hands:
    """The parts of the lab that faults reach into, and the names of its machines."""

    machines: _Machines
    kubernetes: _Named
    registry: _Registry
    sources: _Named
    control_planes: tuple[str, ...]
    workers: tuple[str, ...]


def list_machines(hands: Hands, target: Target) -> tuple[str, ...]:
    """Return the machines that a fault can strike, the preferred one last; none for the others.

    An empty name stands for all of them.
    """
    match target:
        case Target.WORKER:
            return (*hands.control_planes, *hands.workers)
        case Target.CONTROL_PLANE:
            return hands.control_planes
        case Target.API:
            return (*hands.control_planes, "")
        case _:
            return ()


# Turns a fault of a target on or off.
Strike = Callable[[Hands, str, bool], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What should answer a fault: `kind` is finding, step, gate or diagnosis, `name` its name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class RunningFault:
    """A named fault of the running world; without `answers`, a run bears it, as `does` says.

    With `leaves_data`, the machine's disk holds data when it is over: the next run asks first.
    In a cluster of fewer control planes than `fewest_planes` there is nothing to strike.
    """

    name: str
    target: Target
    does: str
    origin: str
    strike: Strike
    answers: tuple[Answer, ...] = ()
    leaves_data: bool = False
    fewest_planes: int = 1


def strike_pods(fault: str) -> Strike:
    """Strike by a switch of the lab's Kubernetes, by its name."""

    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.kubernetes.set_fault(target, fault, on=on)

    return strike
