"""The board of one lab: which faults are on, which wait for their moment."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace

from lab.clock import LabClock
from lab.faults.catalogue import find_fault
from lab.faults.repository import RepositoryFault
from lab.faults.request import FaultRequest
from lab.faults.schedule import make_schedule
from lab.faults.values import FaultError, Hands, RunningFault, Target, list_machines, refuse_unknown

__all__ = ["DESCRIBED", "FaultBoard"]


class FaultBoard:
    """Switches faults of the catalogue, at once or when their moment comes."""

    def __init__(self, clock: LabClock, hands: Hands, broken: Collection[str] = ()) -> None:
        """Make one; `broken` are the faults of the repository, which are there from the start."""
        self._clock = clock
        self._hands = hands
        self._broken = {FaultRequest(name): None for name in broken}
        self._on: dict[FaultRequest, None] = {}
        self._at_step: dict[FaultRequest, None] = {}
        self._timed: dict[FaultRequest, asyncio.Task[None]] = {}
        self._ending: dict[FaultRequest, asyncio.Task[None]] = {}

    def set(self, request: FaultRequest) -> None:
        """Switch a fault on, or keep it until its moment.

        Raises:
            FaultError: no such fault, or no such target.
        """
        if request in self._broken:
            return  # whoever goes on with a run says again what it began with
        fault, chosen = self._complete(request)
        if chosen.step:
            self._at_step[chosen] = None
        elif chosen.seconds:
            self._timed[chosen] = asyncio.create_task(self._strike_later(fault, chosen))
        else:
            self._strike(fault, chosen)

    def set_all(self, requests: Iterable[FaultRequest]) -> None:
        """Set all, or none when one of them cannot be; raises as `set`."""
        wanted = [request for request in requests if request not in self._broken]
        for request in wanted:
            self._complete(request)
        for request in wanted:
            self.set(request)

    def clear(self, name: str, target: str = "") -> int:
        """Switch a fault off and forget when it should strike; returns how many there were.

        Without a target, all of that name.

        Raises:
            FaultError: no such fault.
        """
        fault = _find_running(name)

        def is_meant(request: FaultRequest) -> bool:
            return request.name == name and target in ("", request.target)

        on = [request for request in self._on if is_meant(request)]
        waiting = [request for request in self._at_step if is_meant(request)]
        timed = [request for request in self._timed if is_meant(request)]
        for request in on:
            self._end(fault, request)
        for request in waiting:
            del self._at_step[request]
        for request in timed:
            self._timed.pop(request).cancel()
        return len(on) + len(waiting) + len(timed)

    def list_on(self) -> list[FaultRequest]:
        """Return what is on, in the order in which it was switched."""
        return [*self._broken, *self._on]

    def list_waiting(self) -> list[FaultRequest]:
        """Return what waits for a step or a time."""
        return [*self._at_step, *self._timed]

    def begin_step(self, step: str) -> None:
        """Let what waits for this step strike; a run tells before it begins one."""
        for request in [request for request in self._at_step if request.step == step]:
            del self._at_step[request]
            self._strike(_find_running(request.name), request)

    def make_schedule(self, seed: int) -> tuple[FaultRequest, ...]:
        """Return a random schedule; it is not set."""
        return make_schedule(seed, self._hands)

    def stop(self) -> None:
        """Wait for no moment any more."""
        for tasks in (self._timed, self._ending):
            for task in tasks.values():
                task.cancel()
            tasks.clear()

    async def _strike_later(self, fault: RunningFault, request: FaultRequest) -> None:
        await self._clock.pause(request.seconds)
        self._timed.pop(request, None)
        self._strike(fault, request)

    def _strike(self, fault: RunningFault, request: FaultRequest) -> None:
        fault.strike(self._hands, request.target, True)
        struck = FaultRequest(request.name, request.target)
        self._on[struck] = None
        if earlier := self._ending.pop(struck, None):
            earlier.cancel()
        if request.lasting:
            ending = asyncio.create_task(self._end_later(fault, struck, request.lasting))
            self._ending[struck] = ending

    async def _end_later(self, fault: RunningFault, struck: FaultRequest, lasting: float) -> None:
        await self._clock.pause(lasting)
        self._ending.pop(struck, None)
        self._end(fault, struck)

    def _end(self, fault: RunningFault, struck: FaultRequest) -> None:
        del self._on[struck]
        if ending := self._ending.pop(struck, None):
            ending.cancel()
        fault.strike(self._hands, struck.target, False)

    def _complete(self, request: FaultRequest) -> tuple[RunningFault, FaultRequest]:
        fault = _find_running(request.name)
        if len(self._hands.control_planes) < fault.fewest_planes:
            raise FaultError(
                f"fault does not apply to this cluster: `{fault.name}`: it takes"
                f" {fault.fewest_planes} control planes",
                hint=f"leave out --fault {fault.name}",
            )
        target = request.target or self._choose(fault)
        machines = list_machines(self._hands, fault.target)
        if machines and target:
            refuse_unknown(fault.target.value, target, machines)
        return fault, replace(request, target=target)

    def _choose(self, fault: RunningFault) -> str:
        if machines := list_machines(self._hands, fault.target):
            return machines[-1]
        if fault.target is Target.INSTALLER:
            return "installer"  # every installer's name holds it
        if fault.target in {Target.SOURCE, Target.CHARTS}:
            return "flux-system/"
        if fault.target is Target.ARTIFACTS:
            return ""  # wherever they are
        raise FaultError(
            f"fault needs a target: `{fault.name}`",
            hint=f"write {fault.name}:TARGET, where the target is {DESCRIBED[fault.target]}",
        )


def _find_running(name: str) -> RunningFault:
    fault = find_fault(name)
    if isinstance(fault, RepositoryFault):
        raise FaultError(
            f"fault is in the repository from a lab's start on: `{name}`",
            hint=f"end this lab with `invoke lab.down`, then start one with --fault {name}",
        )
    return fault


DESCRIBED = {
    Target.IMAGE: "a part of the images of pods",
    Target.POD: "`namespace/prefix` of pods",
    Target.VOLUME: "`namespace/prefix` of the pods that use volumes",
    Target.RESTORE: "`namespace/prefix` of VolSync's ReplicationDestinations",
    Target.RECOVERY: "`namespace/prefix` of CloudNativePG's Clusters that are recovered",
    Target.DATABASE: "`namespace/prefix` of CloudNativePG's Clusters",
    Target.WEBHOOK: "`namespace/prefix` of the Service that serves webhooks",
}
