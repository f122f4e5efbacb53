"""A real kube-apiserver and a real etcd in the lab, in place of what the lab pretends of both.

Here may live: finding the two programs and running them as processes of the lab's machines; a
mirror of what they hold, which the lab's controllers read; and writing through to them. Here may
not: rules of Kubernetes (the real server has them), controllers, or anything that the rest of the
lab would have to ask for. `lab.world` chooses between this and the lab's own, nobody else.
"""

from __future__ import annotations

from lab.real.backend import RealBackend
from lab.real.etcd import ETCD_PORTS, RealEtcd
from lab.real.front import HIDDEN_PORTS
from lab.real.programs import Programs, ProgramsError, find_programs

PORTS = (*ETCD_PORTS, *HIDDEN_PORTS)  # what the pair takes of each machine beside the API's

__all__ = [
    "PORTS",
    "Programs",
    "ProgramsError",
    "RealBackend",
    "RealEtcd",
    "find_programs",
]
