"""What the API server answers when it cannot do what it was asked.

ApiError                 .code .reason .message .details; becomes a `Status` object over HTTP
├─ BadRequestError       400 BadRequest
├─ ForbiddenError        403 Forbidden
├─ NotFoundError         404 NotFound: an object, or a kind that is not (yet) served
├─ AlreadyExistsError    409 AlreadyExists
├─ ConflictError         409 Conflict: old resourceVersion, or fields of another manager
├─ MethodNotAllowedError 405 MethodNotAllowed
├─ GoneError             410 Expired: the watch must begin again with a list
├─ UnsupportedMediaTypeError 415 UnsupportedMediaType: a patch of unknown format
├─ InvalidError          422 Invalid
├─ TooManyRequestsError  429 TooManyRequests: eviction would break a disruption budget
├─ InternalError         500 InternalError: a webhook that does not answer, above all
├─ TooNewError           504 Timeout: a list at a version that is yet to come
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
    "MethodNotAllowedError",
    "NotFoundError",
    "TooManyRequestsError",
    "TooNewError",
    "UnavailableError",
    "UnknownGroupError",
    "UnsupportedMediaTypeError",
]


class ApiError(Exception):
    """An answer other than success; `message` is what a real API server would say."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

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
        if self.details is not None:
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
        return cls(
            f'{_qualify(resource, group)} "{name}" not found', details=_name(resource, group, name)
        )

    @classmethod
    def of_kind(cls) -> NotFoundError:
        """Say that the kind itself is not served."""
        return cls("the server could not find the requested resource", details={})


class UnknownGroupError(NotFoundError):
    """No kind of that group and version is served: over HTTP no `Status`, only a line of text."""

    def __init__(self) -> None:
        super().__init__("404 page not found")


class AlreadyExistsError(ApiError):
    """An object of that name exists."""

    code = 409
    reason = "AlreadyExists"

    @classmethod
    def of(cls, resource: str, group: str, name: str) -> AlreadyExistsError:
        """Say which object exists."""
        message = f'{_qualify(resource, group)} "{name}" already exists'
        return cls(message, details=_name(resource, group, name))


class ConflictError(ApiError):
    """The object changed since it was read, or the fields belong to another manager."""

    code = 409
    reason = "Conflict"

    @classmethod
    def of_version(cls, resource: str, group: str, name: str) -> ConflictError:
        """Say that the resourceVersion is not the newest."""
        why = "the object has been modified; please apply your changes to the latest version"
        return cls.of_object(resource, group, name, f"{why} and try again")

    @classmethod
    def of_object(cls, resource: str, group: str, name: str, why: str) -> ConflictError:
        """Say what about one object is not as the client said."""
        message = f'Operation cannot be fulfilled on {_qualify(resource, group)} "{name}": {why}'
        return cls(message, details=_name(resource, group, name))

    @classmethod
    def of_fields(cls, conflicts: Sequence[tuple[str, str]]) -> ConflictError:
        """Say which fields (manager as shown, path) server-side apply would take from whom."""
        causes: list[Json] = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
            for manager, path in conflicts
        ]
        details: Object = {"causes": causes}
        if len(conflicts) == 1:
            manager, path = conflicts[0]
            message = f"Apply failed with 1 conflict: conflict with {manager}: {path}"
            return cls(message, details=details)
        managers: dict[str, list[str]] = {}
        for manager, path in conflicts:
            managers.setdefault(manager, []).append(path)
        shown = "\n".join(
            "\n- ".join((f"conflicts with {manager}:", *managers[manager]))
            for manager in sorted(managers)
        )
        return cls(f"Apply failed with {len(conflicts)} conflicts: {shown}", details=details)


class GoneError(ApiError):
    """The asked resourceVersion is too old; `follow` goes on with a list all the same."""

    code = 410
    reason = "Expired"

    def __init__(self, message: str, *, follow: str = "") -> None:
        super().__init__(message)
        self.follow = follow

    @property
    def status(self) -> Object:
        """With what asks for the rest of the list."""
        metadata: Object = {"continue": self.follow} if self.follow else {}
        return {**super().status, "metadata": metadata}


class InvalidError(ApiError):
    """The object breaks a rule of its kind."""

    code = 422
    reason = "Invalid"

    @classmethod
    def of_field(
        cls, kind: str, group: str, name: str, *causes: tuple[str, str, str]
    ) -> InvalidError:
        """Say which fields are wrong: each cause is (field, reason, what is wrong with it)."""
        listed: list[Json] = [
            {"reason": reason, "message": message, "field": field}
            for field, reason, message in causes
        ]
        details: Object = {**_name(kind, group, name), "causes": listed}
        if not name:
            del details["name"]
        said = ", ".join(f"{field}: {message}" for field, _, message in causes)
        shown = said if len(causes) == 1 else f"[{said}]"
        return cls(f'{_qualify(kind, group)} "{name}" is invalid: {shown}', details=details)


class MethodNotAllowedError(ApiError):
    """Nobody may do that to what the path names."""

    code = 405
    reason = "MethodNotAllowed"

    def __init__(self) -> None:
        message = "the server does not allow this method on the requested resource"
        super().__init__(message, details={})


class UnsupportedMediaTypeError(ApiError):
    """The format of the patch is not known, or not for this kind."""

    code = 415
    reason = "UnsupportedMediaType"


class TooManyRequestsError(ApiError):
    """The eviction would break a PodDisruptionBudget."""

    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    """A webhook did not answer, or the server is at fault."""

    code = 500
    reason = "InternalError"


class TooNewError(ApiError):
    """A list is asked for at a version that this server has not seen yet."""

    code = 504
    reason = "Timeout"

    def __init__(self, asked: str, now: str) -> None:
        message = f"Timeout: Too large resource version: {asked}, current: {now}"
        cause: Object = {
            "reason": "ResourceVersionTooLarge",
            "message": "Too large resource version",
        }
        super().__init__(message, details={"causes": [cause], "retryAfterSeconds": 1})


class UnavailableError(ApiError):
    """No API server is listening."""

    code = 503
    reason = "ServiceUnavailable"


def _qualify(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _name(resource: str, group: str, name: str) -> Object:
    details: Object = {"name": name, "kind": resource}
    if group:
        details["group"] = group
    return details
