"""Every fault by name."""

from __future__ import annotations

from typing import TypeAlias

from lab.faults.repository import REPOSITORY_FAULTS, RepositoryFault
from lab.faults.running import RUNNING_FAULTS
from lab.faults.values import RunningFault, refuse_unknown

__all__ = ["FAULTS", "LabFault", "describe_target", "find_fault"]

LabFault: TypeAlias = "RunningFault | RepositoryFault"

FAULTS: tuple[LabFault, ...] = (*RUNNING_FAULTS, *REPOSITORY_FAULTS)
_BY_NAME = {fault.name: fault for fault in FAULTS}


def find_fault(name: str) -> LabFault:
    """Return the fault of a name.

    Raises:
        FaultError: there is none; with the nearest that there is.
    """
    refuse_unknown("fault", name, _BY_NAME)
    return _BY_NAME[name]


def describe_target(fault: LabFault) -> str:
    """Say in a word or two what a fault strikes."""
    return "repository" if isinstance(fault, RepositoryFault) else fault.target.value
