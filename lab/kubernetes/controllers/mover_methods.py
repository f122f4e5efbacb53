"""VolSync's movers: how each is called, what it needs, and what its log says.

Names and words follow backube/volsync, `internal/controller/mover/*/mover.go` and `mover-*`, and
for kopia its fork perfectra1n/volsync.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lab.kubernetes.faults import PodFault

__all__ = ["METHODS", "Method", "tell_failure", "tell_success"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to move data.

    Attributes:
        field: The key in an object's spec.
        prefix: How names of its Jobs begin, before `src-` or `dst-`.
        command: What its container runs, as source and as destination.
        secret: The key in the spec that names its Secret; without one VolSync makes it.
        wants: Keys in the spec that must be there, and what is said of one that lacks.
        has_cache: Whether it has a claim for its cache, in any case.
        listens: Whether a destination waits for whoever sends, for ever.
    """

    field: str
    name: str
    command: tuple[str, str]
    secret: str
    secret_fields: tuple[str, ...]
    prefix: str = "volsync-"
    tries: int = 8
    wants: tuple[tuple[str, str], ...] = ()
    has_cache: bool = False
    listens: bool = False


METHODS: Final = (
    Method(
        field="restic",
        name="restic",
        command=("/mover-restic/entry.sh", "/mover-restic/entry.sh"),
        secret="repository",  # noqa: S106  a key, not a secret
        secret_fields=("RESTIC_REPOSITORY", "RESTIC_PASSWORD"),
        has_cache=True,
    ),
    Method(
        field="kopia",
        name="kopia",
        command=("/mover-kopia/entry.sh", "/mover-kopia/entry.sh"),
        secret="repository",  # noqa: S106
        secret_fields=("KOPIA_REPOSITORY", "KOPIA_PASSWORD"),
        tries=9,  # until the Job itself has failed: one more than its backoffLimit
    ),
    Method(
        field="rclone",
        name="rclone",
        command=("/mover-rclone/active.sh", "/mover-rclone/active.sh"),
        secret="rcloneConfig",  # noqa: S106
        secret_fields=("rclone.conf",),
        prefix="volsync-rclone-",
        tries=2,
        wants=(
            ("rcloneConfig", "unable to get Rclone config secret name"),
            ("rcloneConfigSection", "unable to get Rclone config section name"),
            ("rcloneDestPath", "unable to get Rclone destination name"),
        ),
    ),
    Method(
        field="rsyncTLS",
        name="rsync-tls",
        command=("/mover-rsync-tls/client.sh", "/mover-rsync-tls/server.sh"),
        secret="keySecret",  # noqa: S106
        secret_fields=("psk.txt",),
        prefix="volsync-rsync-tls-",
        tries=2,
        listens=True,
    ),
)

# What the repository's faults make a mover say before it ends; a mover without them bears them.
_FAILS: Final = {
    ("restic", PodFault.RESTORE_LOCKED): (
        "=== Check for dir initialized ===",
        "unable to create lock in backend: repository is already locked exclusively by PID 21",
        "ERROR: failure locking repository",
    ),
    ("restic", PodFault.RESTORE_PASSWORD): (
        "=== Check for dir initialized ===",
        "Fatal: wrong password or no key found",
        "ERROR: failure connecting to repository, incorrect password",
    ),
    ("kopia", PodFault.RESTORE_PASSWORD): (
        "Attempting to connect to existing repository...",
        "Connection failed, creating new repository...",
        "ERROR: Failed to create repository",
    ),
}


def tell_failure(method: Method, fault: PodFault) -> str:
    """Return the log of a mover that a fault makes fail; empty where it cannot."""
    return "\n".join(_FAILS.get((method.name, fault), ()))


def tell_success(
    method: Method, uid: str, now: datetime, *, is_source: bool, is_empty: bool
) -> str:
    """Return the lines of a mover's log that VolSync keeps when it succeeded."""
    digest = f"{zlib.crc32(uid.encode()):08x}"
    when = now - timedelta(days=1)
    match method.name:
        case "restic" if is_source:
            lines = [f"repository {digest} opened (version 2, compression level auto)"]
            lines += ["no parent snapshot found, will read all files"]
            lines += ["processed 12 files, 5.214 MiB in 0:01", f"snapshot {digest} saved"]
        case "restic" if is_empty:
            # Another repository than meant: it is made, and nothing is found in it.
            lines = ["=== Initialize Dir ===", f"created restic repository {digest}"]
            lines += ["No eligible snapshots found", "=== No data will be restored ==="]
        case "restic":
            lines = [f"repository {digest} opened (version 2, compression level auto)"]
            lines += [f"restoring snapshot {digest} of [/data] at {when} by @volsync to ."]
        case "kopia" if is_empty:
            return "No eligible snapshots found"
        case "kopia":
            return "Snapshot created successfully" if is_source else "Snapshot restore completed"
        case "rclone":
            return "Transferred: 5.214 MiB / 5.214 MiB, 100%\nRclone completed in 4s"
        case _:
            return "rsync completed in 4s"
    return "\n".join([*lines, "Restic completed in 4s"])
