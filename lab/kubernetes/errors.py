"""What the API server answers when it cannot do what it was asked.

ApiError                 .code .reason .message .details; becomes a `Status` object over HTTP
├─ BadRequestError       400 BadRequest
├─ ForbiddenError        403 Forbidden
├─ NotFoundError         404 NotFound: an object, or a kind that is not (yet) served
├─ AlreadyExistsError    409 AlreadyExists
├─ ConflictError         409 Conflict: old resourceVersion, or fields of another manager
├─ GoneError             410 Expired: the watch must begin again with a list
├─ InvalidError          422 Invalid
├─ TooManyRequestsError  429 TooManyRequests: eviction would break a disruption budget
├─ InternalError         500 InternalError: a webhook that does not answer, above all
└─ UnavailableError      503: no API server is listening (over HTTP: connection refused)
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.kubernetes.values import Json, Object

__all__ = [
    "AlreadyExistsError",
    "ApiError",
    "BadRequestError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "InternalError",
    "InvalidError",
    "NotFoundError",
    "TooManyRequestsError",
    "UnavailableError",
]


class ApiError(Exception):
    """An answer other than success; `message` is what a real API server would say."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: Object = details or {}

    @property
    def status(self) -> Object:
        """The `Status` object that an HTTP client reads."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


class BadRequestError(ApiError):
    """The request makes no sense."""

    code = 400
    reason = "BadRequest"


class ForbiddenError(ApiError):
    """The request is understood and refused."""

    code = 403
    reason = "Forbidden"


class NotFoundError(ApiError):
    """The object does not exist, or its kind is not served."""

    code = 404
    reason = "NotFound"

    @classmethod
    def of(cls, resource: str, group: str, name: str) -> NotFoundError:
        """Say that one object does not exist, for example `pods "x" not found`."""
        qualified = f"{resource}.{group}" if group else resource
        details: Object = {"name": name, "kind": resource}
        if group:
            details["group"] = group
        return cls(f'{qualified} "{name}" not found', details=details)

    @classmethod
    def of_kind(cls) -> NotFoundError:
        """Say that the kind itself is not served."""
        return cls("the server could not find the requested resource")


class AlreadyExistsError(ApiError):
    """An object of that name exists."""

    code = 409
    reason = "AlreadyExists"

    @classmethod
    def of(cls, resource: str, group: str, name: str) -> AlreadyExistsError:
        """Say which object exists."""
        qualified = f"{resource}.{group}" if group else resource
        details: Object = {"name": name, "kind": resource}
        return cls(f'{qualified} "{name}" already exists', details=details)


class ConflictError(ApiError):
    """The object changed since it was read, or the fields belong to another manager."""

    code = 409
    reason = "Conflict"

    @classmethod
    def of_version(cls, resource: str, group: str, name: str) -> ConflictError:
        """Say that the resourceVersion is not the newest."""
        qualified = f"{resource}.{group}" if group else resource
        message = (
            f'Operation cannot be fulfilled on {qualified} "{name}": the object has been '
            "modified; please apply your changes to the latest version and try again"
        )
        return cls(message, details={"name": name, "kind": resource})

    @classmethod
    def of_fields(cls, conflicts: Sequence[tuple[str, str]]) -> ConflictError:
        """Say which fields (manager, path) server-side apply would take from whom."""
        many = "s" if len(conflicts) > 1 else ""
        managers: dict[str, list[str]] = {}
        for manager, path in conflicts:
            managers.setdefault(manager, []).append(path)
        shown = "; ".join(
            f'conflict{many} with "{manager}": ' + " ".join(paths)
            if len(paths) == 1
            else f'conflicts with "{manager}":\n' + "\n".join(f"- {path}" for path in paths)
            for manager, paths in managers.items()
        )
        causes: list[Json] = [
            {
                "reason": "FieldManagerConflict",
                "message": f'conflict with "{manager}"',
                "field": path,
            }
            for manager, path in conflicts
        ]
        count = len(conflicts)
        return cls(f"Apply failed with {count} conflict{many}: {shown}", details={"causes": causes})


class GoneError(ApiError):
    """The asked resourceVersion is too old to watch from."""

    code = 410
    reason = "Expired"


class InvalidError(ApiError):
    """The object breaks a rule of its kind."""

    code = 422
    reason = "Invalid"


class TooManyRequestsError(ApiError):
    """The eviction would break a PodDisruptionBudget."""

    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    """A webhook did not answer, or the server is at fault."""

    code = 500
    reason = "InternalError"


class UnavailableError(ApiError):
    """No API server is listening."""

    code = 503
    reason = "ServiceUnavailable"
