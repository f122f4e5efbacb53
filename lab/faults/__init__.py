"""What the lab makes go wrong: one catalogue of named faults, and the board that switches them.

Here may live: what each fault is called, where it comes from, how it strikes, and when. Here may
not: how a machine or a pod behaves while it suffers; that is where the machine and the pod are.
"""

from __future__ import annotations

from lab.faults.board import FaultBoard
from lab.faults.catalogue import FAULTS, LabFault, describe_target, find_fault
from lab.faults.file import read_fault_file, write_fault_file
from lab.faults.repository import RepositoryFault
from lab.faults.request import FaultRequest, parse_fault
from lab.faults.values import Answer, FaultError, Hands, RunningFault, Target

__all__ = [
    "FAULTS",
    "Answer",
    "FaultBoard",
    "FaultError",
    "FaultRequest",
    "Hands",
    "LabFault",
    "RepositoryFault",
    "RunningFault",
    "Target",
    "describe_target",
    "find_fault",
    "parse_fault",
    "read_fault_file",
    "write_fault_file",
]
