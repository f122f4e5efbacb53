"""Simulated Talos machines: hardware, boots, etcd membership, and the machine API over gRPC.

Here may live: what one machine is and does, how machines find each other, the messages and error
texts of the Talos API. Here may not: Kubernetes (machines drive it through
`lab.ports.KubernetesPlane`), the talosctl stand-in (a client like any other), anything of
`lifecycle`. Every wait goes through `LabClock.wait`; every number of seconds is in `durations`.
"""

from __future__ import annotations

from lab.machines.boot import MachineSpec, Stage
from lab.machines.faults import Fault
from lab.machines.hardware import Disk, DiskSelector, Hardware, Nic, derive_hardware
from lab.machines.machine import Machine
from lab.machines.machines import Machines

__all__ = [
    "Disk",
    "DiskSelector",
    "Fault",
    "Hardware",
    "Machine",
    "MachineSpec",
    "Machines",
    "Nic",
    "Stage",
    "derive_hardware",
]
