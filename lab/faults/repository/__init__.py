"""Faults of what a repository holds: edits of the private copy that a lab runs on.

Here may live: what each edit is called, what it changes and what finds it. Here may not: any
write outside the copy, and what makes the copy (`lab/repository.py`).
"""

from __future__ import annotations

from lab.faults.repository.builds import BUILD_FAULTS
from lab.faults.repository.machines import MACHINE_FAULTS
from lab.faults.repository.order import ORDER_FAULTS
from lab.faults.repository.releases import RELEASE_FAULTS
from lab.faults.repository.secrets import SECRET_FAULTS
from lab.faults.repository.services import SERVICE_FAULTS
from lab.faults.repository.tree import DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault

__all__ = ["REPOSITORY_FAULTS", "DoesNotApplyError", "RepositoryFault", "Tree"]

REPOSITORY_FAULTS = (
    *BUILD_FAULTS,
    *ORDER_FAULTS,
    *RELEASE_FAULTS,
    *MACHINE_FAULTS,
    *SECRET_FAULTS,
    *SERVICE_FAULTS,
)
