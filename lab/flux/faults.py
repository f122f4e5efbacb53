"""What fetching sources can be made to do wrong, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lab.flux.oci import OciAnswer
from lab.kubernetes.values import Object, name_of, namespace_of, text

__all__ = ["SourceFault", "SourceFaults"]


class SourceFault(StrEnum):
    """A switch on sources of one kind; its target is how `namespace/name` begins."""

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
    INDEX_BROKEN = "index-broken"
    """The index of a Helm repository is no YAML."""
    INDEX_DENIED = "index-denied"
    """A Helm repository refuses its index without, or with these, credentials."""
    INDEX_ABSENT = "index-absent"
    """A Helm repository has no index."""
    CHART_GONE = "chart-gone"
    """The version of a chart is no longer in its repository."""
    OCI_TAG_GONE = "oci-tag-gone"
    """A registry no longer has the tag or version that is asked for."""
    OCI_DENIED = "oci-denied"
    """A registry refuses charts and artifacts without, or with these, credentials."""
    OCI_ABSENT = "oci-absent"
    """Nothing listens where the registry was."""


# What a fault strikes where it is not a GitRepository.
_KINDS: Mapping[SourceFault, str] = {
    SourceFault.INDEX_BROKEN: "HelmRepository",
    SourceFault.INDEX_DENIED: "HelmRepository",
    SourceFault.INDEX_ABSENT: "HelmRepository",
    SourceFault.CHART_GONE: "HelmChart",
}
# What a registry answers instead of a chart or artifact, in OCIRepositories and OCI charts alike.
_ANSWERS: Mapping[SourceFault, OciAnswer] = {
    SourceFault.OCI_TAG_GONE: OciAnswer.NO_VERSION,
    SourceFault.OCI_DENIED: OciAnswer.DENIED,
    SourceFault.OCI_ABSENT: OciAnswer.SILENT,
}
_NO_INDEX = (
    "failed to fetch Helm repository index: failed to cache index to temporary file: failed to"
    " fetch {url}/index.yaml : "
)
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
    SourceFault.INDEX_BROKEN: (
        "failed to load Helm repository from index YAML: failed to load index: error converting"
        " YAML to JSON: yaml: line 2: mapping values are not allowed in this context"
    ),
    SourceFault.INDEX_DENIED: f"{_NO_INDEX}401 Unauthorized",
    SourceFault.INDEX_ABSENT: f"{_NO_INDEX}404 Not Found",
    SourceFault.CHART_GONE: (
        "invalid chart reference: failed to get chart version for remote reference:"
        " no '{chart}' chart with version matching '{version}' found"
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

    def describe(self, source: Object) -> str:
        """Return what fetching a source ends with; empty when well."""
        where, kind = f"{namespace_of(source)}/{name_of(source)}", text(source, "kind")
        words = {
            "url": text(source, "spec", "url").rstrip("/"),
            "chart": text(source, "spec", "chart"),
            "version": text(source, "spec", "version"),
        }
        found = (
            _MESSAGES[fault].format(**words)
            for fault, prefix in self._on
            if where.startswith(prefix) and _strikes(fault, kind)
        )
        return next(found, "")

    def find_answer(self, source: Object) -> OciAnswer | None:
        """Return how the registry of an OCIRepository or OCI chart fails; None when well."""
        where = f"{namespace_of(source)}/{name_of(source)}"
        found = (
            answer
            for fault, prefix in self._on
            if (answer := _ANSWERS.get(fault)) and where.startswith(prefix)
        )
        return next(found, None)


def _strikes(fault: SourceFault, kind: str) -> bool:
    return fault not in _ANSWERS and _KINDS.get(fault, "GitRepository") == kind
