"""Where the age key comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lifecycle.errors import PlanError
from lifecycle.secrets import Secret

__all__ = ["find_age_key"]

_IDENTITY = re.compile(rb"^AGE-(SECRET-KEY|PLUGIN)-\S+$", re.MULTILINE)


def find_age_key(repo: Path, given: Path | None, environ: Mapping[str, str]) -> Secret:
    """Return the age identities: of the given file, `SOPS_AGE_KEY`, ClusterTool's or SOPS' own.

    An empty Secret means that there is none anywhere.

    Raises:
        PlanError: the given file cannot be read or holds no identity.
    """
    if given is not None:
        return _read(given)
    if value := environ.get("SOPS_AGE_KEY"):
        return Secret(value)
    config = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    for path in (repo / "age.agekey", Path(config) / "sops" / "age" / "keys.txt"):
        if path.is_file():
            return _read(path)
    return Secret("")


def _read(path: Path) -> Secret:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"age key cannot be read: `{path}`: {error.strerror}", hint=f"see `ls -l {path}`"
        ) from error
    if not _IDENTITY.search(content):
        raise PlanError(
            f"file holds no age identity: `{path}`",
            hint="an identity is a line that begins with AGE-SECRET-KEY-1",
        )
    return Secret(content)
