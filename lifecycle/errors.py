"""Every error that a user can see, with its exit code and its repair.

```
LifecycleError                      1   .hint, .exit_code; the only class of ours on Exception
├─ InventoryError                   2   .path .line .column: the repository is wrong
├─ PlanError                        2   the request makes no sense for this cluster
├─ ClusterLockedError               3   .holder .since: another run has the cluster
├─ PreconditionError                4   refused before any change
├─ StepError                        5   .step
│  ├─ TransientError                    .retry_after_s: worth another attempt
│  ├─ PermanentError                    another attempt cannot help
│  └─ VerifyError                       applied, but not observed
├─ GateTimeoutError                 6   .gate .waited_s .last (what was last seen)
├─ DriverError                      7
│  ├─ CommandFailedError                .argv .returncode .stdout_tail .stderr_tail
│  ├─ CommandTimedOutError              .argv .timeout_s
│  ├─ ToolMissingError                  .tool .wanted .found
│  └─ ApiError                          .status .reason .retry_after_s
│     ├─ NotFoundError  ConflictError  ForbiddenError  UnauthorizedError  InvalidError
│     └─ TooManyRequestsError  UnavailableError
├─ CheckpointError                  8   journal newer than the program, or damaged
└─ InterruptedRunError            130   stopped on request; the run can be resumed
```

A message is lower case, has no final period and puts the failing thing first; the hint is the
command to run next. Both are safe to print: secrets never get into them.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ApiError",
    "CheckpointError",
    "ClusterLockedError",
    "CommandFailedError",
    "CommandTimedOutError",
    "ConflictError",
    "DriverError",
    "ForbiddenError",
    "GateTimeoutError",
    "InterruptedRunError",
    "InvalidError",
    "InventoryError",
    "LifecycleError",
    "NotFoundError",
    "PermanentError",
    "PlanError",
    "PreconditionError",
    "StepError",
    "TooManyRequestsError",
    "ToolMissingError",
    "TransientError",
    "UnauthorizedError",
    "UnavailableError",
    "VerifyError",
]


class LifecycleError(Exception):
    """Anything that a run can say to its user; `hint` is the repair, or empty."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InventoryError(LifecycleError):
    """Raised when the repository is wrong; `line` and `column` count from 1, 0 is unknown."""

    exit_code = 2

    def __init__(
        self, message: str, *, path: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        position = f"{path}:{line}:{column}: " if path and line else f"{path}: " if path else ""
        super().__init__(position + message, hint=hint)
        self.path = path
        self.line = line
        self.column = column


class PlanError(LifecycleError):
    """Raised when a request makes no sense for this cluster."""

    exit_code = 2


class ClusterLockedError(LifecycleError):
    """Raised when another run holds the cluster."""

    exit_code = 3

    def __init__(self, cluster: str, *, holder: str, since: str, hint: str = "") -> None:
        super().__init__(f"cluster is locked: `{cluster}` by {holder} since {since}", hint=hint)
        self.cluster = cluster
        self.holder = holder
        self.since = since


class PreconditionError(LifecycleError):
    """Raised when something is refused before any change."""

    exit_code = 4


class StepError(LifecycleError):
    """Raised when a step fails; the runner fills in which."""

    exit_code = 5

    def __init__(self, message: str, *, step: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step


class TransientError(StepError):
    """Raised when another attempt may help, not before `retry_after_s` seconds."""

    def __init__(
        self, message: str, *, step: str = "", hint: str = "", retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message, step=step, hint=hint)
        self.retry_after_s = retry_after_s


class PermanentError(StepError):
    """Raised when another attempt cannot help."""


class VerifyError(StepError):
    """Raised when a step was applied and its effect is not observed."""


class GateTimeoutError(LifecycleError):
    """Raised when a gate did not open; `last` is what was last seen."""

    exit_code = 6

    def __init__(self, gate: str, *, waited_s: float, last: str, hint: str = "") -> None:
        super().__init__(f"{gate} is not ready after {waited_s:.0f} s: {last}", hint=hint)
        self.gate = gate
        self.waited_s = waited_s
        self.last = last


class DriverError(LifecycleError):
    """Raised when a tool or an API fails, at the doors to the outside."""

    exit_code = 7


class CommandFailedError(DriverError):
    """Raised when a command ended with a code other than 0; argv and tails are redacted."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        returncode: int,
        stdout_tail: str = "",
        stderr_tail: str = "",
        hint: str = "",
    ) -> None:
        said = (stderr_tail or stdout_tail).strip()
        super().__init__(
            f"command failed with exit code {returncode}: `{argv[0]}`: {said}", hint=hint
        )
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stdout_tail = stdout_tail
        self.stderr_tail = stderr_tail


class CommandTimedOutError(DriverError):
    """Raised when a command was ended because it ran longer than `timeout_s` seconds."""

    def __init__(self, argv: Sequence[str], *, timeout_s: float, hint: str = "") -> None:
        super().__init__(
            f"command timed out after {timeout_s:g} s: `{' '.join(argv[:4])}`", hint=hint
        )
        self.argv = tuple(argv)
        self.timeout_s = timeout_s


class ToolMissingError(DriverError):
    """Raised when a tool is not there, or not in a version that works."""

    def __init__(self, tool: str, *, wanted: str = "", found: str = "", hint: str = "") -> None:
        message = f"tool is missing: `{tool}`: not found"
        if found:
            message = f"tool has an unsuitable version: `{tool}`: found {found}, wanted {wanted}"
        super().__init__(message, hint=hint)
        self.tool = tool
        self.wanted = wanted
        self.found = found


class ApiError(DriverError):
    """Raised when an API answers with an error; `status` is the HTTP code, 0 when none came."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after_s: float = 0.0,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class NotFoundError(ApiError):
    """Raised for 404: the object, or its kind, does not exist."""


class ConflictError(ApiError):
    """Raised for 409: changed meanwhile, exists already, or a field has another owner."""


class ForbiddenError(ApiError):
    """Raised for 403."""


class UnauthorizedError(ApiError):
    """Raised for 401, and when the server is not signed by the CA that we hold."""


class InvalidError(ApiError):
    """Raised for 400 and 422: the object is not acceptable as it is."""


class TooManyRequestsError(ApiError):
    """Raised for 429: wait `retry_after_s`; also an eviction that a disruption budget refuses."""


class UnavailableError(ApiError):
    """Raised for 5xx and for a connection that did not come about."""


class CheckpointError(LifecycleError):
    """Raised when the journal is damaged, or newer than the program."""

    exit_code = 8


class InterruptedRunError(LifecycleError):
    """Raised when a run was stopped on request; it can be resumed."""

    exit_code = 130
