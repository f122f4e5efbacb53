"""Why a talosctl call failed, read from its error text.

talosctl exits with 0 or 1 only, so the text is all there is. The texts are those of gRPC and of
Talos 1.12 to 1.14 (`cmd/talosctl`, `internal/app/machined`, `pkg/grpc/middleware/authz`).
"""

from __future__ import annotations

from enum import StrEnum

from lifecycle.errors import CommandFailedError

__all__ = ["Failure", "TalosctlError", "classify"]


class Failure(StrEnum):
    """What stands between us and an answer."""

    REFUSED = "connection refused"
    TIMEOUT = "no answer in time"
    NO_ROUTE = "no route to host"
    CUT = "connection cut"
    UNKNOWN_AUTHORITY = "certificate signed by unknown authority"
    WRONG_NAME = "certificate is for another address"
    CERTIFICATE_REQUIRED = "certificate required"
    NOT_AUTHORIZED = "not authorized"
    NOT_IMPLEMENTED = "not implemented"
    NOT_READY = "not ready for it yet"
    ALREADY_EXISTS = "already exists"
    NOT_FOUND = "not found"
    INVALID = "invalid argument"
    CLIENT = "client configuration"
    NO_TALOSCONFIG = "this cluster has no talosconfig yet"
    OTHER = "other"

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may work a moment later."""
        return self in _RETRYABLE

    @property
    def is_unreachable(self) -> bool:
        """Whether nothing at all answered."""
        return self in _UNREACHABLE


_UNREACHABLE = frozenset({Failure.REFUSED, Failure.TIMEOUT, Failure.NO_ROUTE, Failure.CUT})
_RETRYABLE = _UNREACHABLE | {Failure.NOT_READY}

# In this order: a TLS text is wrapped in `code = Unavailable`, and a cut connection may be
# reported as `Canceled`; the innermost cause is the one that counts.
_TEXTS: tuple[tuple[str, Failure], ...] = (
    ("failed to create etcd client", Failure.NOT_READY),  # a deadline of the node's, not of ours
    ("no controlplane endpoints discovered yet", Failure.NOT_READY),
    ("etcdserver: no leader", Failure.NOT_READY),  # rpctypes of etcd 3.6, as is the next
    ("etcdserver: request timed out", Failure.NOT_READY),
    ("certificate signed by unknown authority", Failure.UNKNOWN_AUTHORITY),
    ("tls: certificate required", Failure.CERTIFICATE_REQUIRED),
    ("tls: bad certificate", Failure.CERTIFICATE_REQUIRED),
    ("x509: certificate is valid for", Failure.WRONG_NAME),
    ("x509: cannot validate certificate for", Failure.WRONG_NAME),
    ("connection refused", Failure.REFUSED),
    ("no route to host", Failure.NO_ROUTE),
    ("network is unreachable", Failure.NO_ROUTE),
    ("i/o timeout", Failure.TIMEOUT),
    ("context deadline exceeded", Failure.TIMEOUT),
    ("code = DeadlineExceeded", Failure.TIMEOUT),
    ("error reading from server: EOF", Failure.CUT),
    ("connection reset by peer", Failure.CUT),
    ("broken pipe", Failure.CUT),
    ("code = Canceled", Failure.CUT),
    ("code = PermissionDenied", Failure.NOT_AUTHORIZED),
    ("code = Unimplemented", Failure.NOT_IMPLEMENTED),
    ("code = FailedPrecondition", Failure.NOT_READY),
    ("code = AlreadyExists", Failure.ALREADY_EXISTS),
    ("code = NotFound", Failure.NOT_FOUND),
    ("is not registered", Failure.NOT_FOUND),
    ("code = InvalidArgument", Failure.INVALID),
    ("code = Unavailable", Failure.CUT),
    ("failed to determine endpoints", Failure.CLIENT),
    ("not found in config", Failure.CLIENT),
    ("talos config file is empty", Failure.CLIENT),
    ("failed to open config file", Failure.CLIENT),
    ("failed to resolve config context", Failure.CLIENT),
    ("nodes are not set for the command", Failure.CLIENT),
    ("no such file or directory", Failure.NOT_FOUND),  # on the node: files here are named above
)


def classify(stderr: str) -> Failure:
    """Return the kind of failure that an error text of talosctl tells of."""
    return next((failure for text, failure in _TEXTS if text in stderr), Failure.OTHER)


class TalosctlError(CommandFailedError):
    """Raised when talosctl failed, gave no answer in time, or was not asked; `failure` says why."""

    def __init__(self, cause: CommandFailedError, failure: Failure, *, node: str) -> None:
        super().__init__(
            cause.argv,
            returncode=cause.returncode,
            stdout_tail=cause.stdout_tail,
            stderr_tail=cause.stderr_tail,
            hint=cause.hint,
        )
        if failure is Failure.NO_TALOSCONFIG:  # no command was run that could have failed
            self.message = str(failure)
        self.failure = failure
        self.node = node
