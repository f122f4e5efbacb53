"""What goes wrong in a call, with the texts that talosctl prints."""

from __future__ import annotations

__all__ = ["CODES", "CommandError", "RpcError", "SilentError", "join_errors", "unavailable"]

# google.golang.org/grpc/codes, by number.
CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)


class CommandError(Exception):
    """The command ends with exit code 1 and this text on standard error."""


class SilentError(CommandError):
    """The command ends with exit code 1; a reporter already said why."""


class RpcError(CommandError):
    """A gRPC status other than OK.

    Attributes:
        code: Its name in Go, such as `Unavailable`.
        desc: Its description.
    """

    def __init__(self, code: str, desc: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {desc}")
        self.code = code
        self.desc = desc


def unavailable(desc: str) -> RpcError:
    """A connection that could not be made; `desc` goes in double quotes as Go's `%q` puts it."""
    quoted = desc.replace("\\", "\\\\").replace('"', '\\"')
    return RpcError("Unavailable", f'connection error: desc = "{quoted}"')


def join_errors(texts: list[str]) -> str:
    """List several errors as hashicorp/go-multierror does, its two last line ends included."""
    head = "1 error occurred:" if len(texts) == 1 else f"{len(texts)} errors occurred:"
    return head + "\n" + "\n".join(f"\t* {text}" for text in texts) + "\n\n"
