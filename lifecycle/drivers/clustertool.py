"""ClusterTool: machine configs made from a repository, always in a private copy of it.

It decrypts the whole repository in place, logs failures and goes on, and exits with 0 all the
same (`pkg/gencmd/genconfig.go`), so only its last line and the files that it wrote count. It
also goes to the internet: to check time and DNS at its start, and to the Image Factory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lifecycle.drivers.agekeys import with_recipient
from lifecycle.drivers.process import Completed, Runner
from lifecycle.errors import CommandFailedError
from lifecycle.secrets import Secret

__all__ = ["Clustertool", "GeneratedConfigs"]

_TIMEOUT_S = 300.0
_KEY_FILE = "age.agekey"
_SAID_LINES = 5
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STAMP = re.compile(r"^\S*\d\d:\d\d\S* (?=[A-Z]{3} )")  # `2026-11-28T07:49:58Z INF`, `10:00AM INF`
_OFFLINE = re.compile(r"does not resolve|no such host|network is unreachable", re.IGNORECASE)
_OFFLINE_HINT = (
    "clustertool asks the internet for time, its registry and the image factory: connect this "
    "computer; a rehearsal without network uses the lab's stand-in when no clustertool is on PATH"
)
# What its check of clusterenv.yaml says (`pkg/initfiles/clusterenv.go`).
_REFUSED = re.compile(r"cannot be empty|Cannot proceed|against METALLB_RANGE|Unquoted number")
_TROUBLE = re.compile(r"\b(?:ERR|FTL|error|failed|issues|cannot)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GeneratedConfigs:
    """Files that genconfig wrote: clear secrets, so the folder must be private."""

    talosconfig: Path
    machine_configs: Mapping[str, Path]  # by host name
    talsecret: Path


@dataclass(frozen=True, slots=True)
class Clustertool:
    """clustertool in the root of a private copy of the cluster repository."""

    program: str
    runner: Runner
    repository: Path
    cluster: str

    async def initialise(self, age_key: Secret) -> None:
        """Write the files that Git ignores and genconfig needs: patches, above all.

        Raises:
            CommandFailedError: It did not complete.
        """
        self._place_key(age_key)
        await self._run("init", "Init: Completed Successfully!")

    async def generate(self, age_key: Secret) -> GeneratedConfigs:
        """Make machine configs and a talosconfig.

        Raises:
            CommandFailedError: It did not complete; what it complained of is in the error.
        """
        self._place_key(age_key)
        completed = await self._run("genconfig", "GenConfig: Completed Successfully!")
        folder = self.repository / "clusters" / self.cluster / "talos" / "generated"
        said = _plain(completed)
        # "generated config for HOST in PATH"; the path is relative to the repository.
        lines = re.findall(r"^generated config for (\S+) in (.+?)\s*$", said, re.MULTILINE)
        configs = {host: self.repository / path for host, path in lines}
        talosconfig = folder / "talosconfig"
        if not configs or not talosconfig.is_file():
            raise self._incomplete(completed)
        return GeneratedConfigs(talosconfig, configs, folder / "talsecret.yaml")

    async def _run(self, command: str, last_words: str) -> Completed:
        argv = [self.program, "--cluster", self.cluster, command]
        completed = await self.runner.run(
            argv, timeout_s=_TIMEOUT_S, cwd=self.repository, check=False, proxied=True
        )
        if last_words not in _plain(completed):
            raise self._incomplete(completed)
        return completed

    def _incomplete(self, completed: Completed) -> CommandFailedError:
        """Build the error of a run that did not do its work, whatever its exit code was."""
        lines = [_STAMP.sub("", line) for line in _plain(completed).splitlines() if line.strip()]
        trouble = [line for line in lines if _TROUBLE.search(line)] or lines
        said = "\n".join(trouble[-_SAID_LINES:])
        failure = self.runner.failure(completed, said=said or "it did not complete")
        if _OFFLINE.search(said):
            failure.hint = _OFFLINE_HINT
        elif _REFUSED.search(said):
            failure.hint = (
                f"correct clusters/{self.cluster}/clusterenv.yaml; "
                "invoke validate names each place (clusterenv-refused)"
            )
        return failure

    def _place_key(self, age_key: Secret) -> None:
        """Put the age key where ClusterTool looks for it: the repository's root."""
        path = self.repository / _KEY_FILE
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(with_recipient(age_key).reveal())


def _plain(completed: Completed) -> str:
    """Return both streams without colours: its log goes to either."""
    text = (completed.stdout + b"\n" + completed.stderr).decode("utf-8", "replace")
    return _COLOUR.sub("", text)
