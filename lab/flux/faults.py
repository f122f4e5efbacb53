"""What fetching sources can be made to do wrong, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["SourceFault", "SourceFaults"]


class SourceFault(StrEnum):
    """A switch on GitRepositories; its target is how `namespace/name` begins."""

    GIT_DENIED = "git-denied"
    """The Git server refuses the deploy key."""
    GIT_HOST_KEY = "git-host-key"
    """The Git server shows another host key than the known one."""
    GIT_UNRESOLVED = "git-unresolved"
    """The name of the Git server does not resolve."""
    GIT_BRANCH_ABSENT = "git-branch-absent"
    """The Git server has no such branch."""
    GIT_EXPIRED = "git-certificate-expired"
    """The Git server's certificate is out of time."""


# What go-git and Go's resolver say.
_MESSAGES: Mapping[SourceFault, str] = {
    SourceFault.GIT_DENIED: (
        "failed to checkout and determine revision: unable to clone: ssh: handshake failed: ssh:"
        " unable to authenticate, attempted methods [none publickey], no supported methods remain"
    ),
    SourceFault.GIT_HOST_KEY: (
        "failed to checkout and determine revision: unable to list remote: ssh: handshake failed:"
        " knownhosts: key mismatch"
    ),
    SourceFault.GIT_UNRESOLVED: (
        "failed to checkout and determine revision: unable to list remote: dial tcp:"
        " lookup git.lab.example on 10.96.0.10:53: no such host"
    ),
    SourceFault.GIT_BRANCH_ABSENT: (
        "failed to checkout and determine revision: unable to clone:"
        ' couldn\'t find remote ref "refs/heads/main"'
    ),
    SourceFault.GIT_EXPIRED: (
        "failed to checkout and determine revision: unable to list remote: tls: failed to verify"
        " certificate: x509: certificate has expired or is not yet valid"
    ),
}


class SourceFaults:
    """Which faults strike which sources; none at first."""

    def __init__(self) -> None:
        self._on: dict[tuple[SourceFault, str], None] = {}

    def set_fault(self, target: str, fault: str, *, on: bool = True) -> None:
        """Switch a fault of a target; what fails tries again by itself.

        Raises:
            ValueError: the fault is not known.
        """
        key = SourceFault(fault), target
        if on:
            self._on[key] = None
        else:
            self._on.pop(key, None)

    def describe(self, where: str) -> str:
        """Return what fetching a source, by its `namespace/name`, ends with; empty when well."""
        found = (_MESSAGES[fault] for fault, prefix in self._on if where.startswith(prefix))
        return next(found, "")
