"""What the stand-in for ClusterTool does: `init`, `genconfig`, `decrypt`, in a repository's root.

Follows trueforge-org/clustertool `cmd/` and `pkg/{gencmd,initfiles,sops,talassist}`: the log goes
to standard output, decryption happens in place with the key in `./age.agekey`, `init` writes the
patches that Git ignores, `genconfig` fails without them. Left out: the network (the Image
Factory's answer is computed), the Kubernetes folder's kustomizations, Git hooks. What `genconfig`
does is in `genconfig`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.standins.clusterfiles import (
    ClusterFilesError,
    check_clusterenv,
    decrypt_repository,
    find_unquoted_number,
    write_cluster_settings,
    write_patches,
)
from lab.standins.golog import Console
from lab.standins.machineconfig.substitution import read_clusterenv
from lab.standins.machineconfig.yaml_door import YamlError

__all__ = ["Cluster", "StopError", "check_cluster", "decrypt", "run_command"]

_COMMANDS = ("init", "genconfig", "decrypt")


class StopError(Exception):
    """End with exit code 1; everything was already said."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Paths of one cluster, relative to the repository root as ClusterTool prints them."""

    name: str

    @property
    def root(self) -> Path:
        """Everything of the cluster."""
        return Path("clusters") / self.name

    @property
    def clusterenv(self) -> Path:
        """Its variables."""
        return self.root / "clusterenv.yaml"

    @property
    def talos(self) -> Path:
        """What its machines are."""
        return self.root / "talos"

    @property
    def generated(self) -> Path:
        """What genconfig makes."""
        return self.talos / "generated"

    @property
    def talsecret(self) -> Path:
        """The secrets of its machines."""
        return self.generated / "talsecret.yaml"


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; answers the exit code."""
    console = Console(sys.stdout)
    console.write("---\nClusterTool Version: dev (lab stand-in)\n---\n")
    name, rest = _take_cluster(arguments)
    console.info(f"Cluster name: {name}\n")
    command = rest[0] if rest else ""
    if command not in _COMMANDS:
        error = f'unknown command "{command}" for "clustertool"'
        console.fatal("Failed to execute command", error)
        return 1
    cluster = Cluster(name)
    try:
        if command == "genconfig":
            from lab.standins.genconfig import generate  # noqa: PLC0415 (0.1 s, for it alone)

            generate(cluster, console)
        elif command == "init":
            _initialise(cluster, console)
        else:
            decrypt(cluster, console)
    except StopError:
        return 1
    return 0


def _take_cluster(arguments: Sequence[str]) -> tuple[str, list[str]]:
    name, rest, position = "main", [], 0
    while position < len(arguments):
        word = arguments[position]
        if word == "--cluster" and position + 1 < len(arguments):
            position += 1
            name = arguments[position]
        elif word.startswith("--cluster="):
            name = word.partition("=")[2]
        else:
            rest.append(word)
        position += 1
    return name, rest


def decrypt(cluster: Cluster, console: Console, *, is_told: bool = True) -> None:
    """Decrypt the repository in place; goes on when that fails, as the real one does."""
    try:
        found = decrypt_repository(Path())
    except ClusterFilesError as error:
        _report_encrypted(error, console, is_told=is_told)
        return
    if not found:
        console.info("Nothing to decrypt")
    if cluster.clusterenv.is_file():
        _load_variables(cluster, console)
    console.info("All files decrypted successfully")


def _report_encrypted(error: ClusterFilesError, console: Console, *, is_told: bool) -> None:
    """Log a failure to decrypt; the run goes on, as the real one's does."""
    if error.path.name == ".sops.yaml":
        console.info(".sops.yaml file does not exist, skipping loading SOPS....")
        console.error("Failed to load SOPS config", error.reason)
        console.error("Failed to execute check for encrypted files", error.reason)
        detail = error.reason
    else:
        console.error("Decryption failed", error.reason)
        console.error("Decryption failed without MAC error", error.reason)
        console.error(f"Error decrypting file {error.path}", error.reason)
        detail = f"error decrypting file {error.path}: {error.reason}"
    if is_told:
        console.info(f"Error decrypting files: {detail}\n")


def _load_variables(cluster: Cluster, console: Console) -> dict[str, str]:
    if not cluster.clusterenv.is_file():
        console.fatal("clusterenv.yaml file not found, exiting...")
        raise StopError
    text = cluster.clusterenv.read_text()
    try:
        variables = read_clusterenv(text, cluster.name)
    except YamlError as error:
        console.info(f"Error loading environment from clusterenv.yaml: {error}\n")
        raise StopError from error
    line = find_unquoted_number(text)
    if line:
        console.error(f"Unquoted number found ./{cluster.clusterenv} line: {line}")
        raise StopError
    console.info("ClusterEnv loaded successfully\n")
    return variables


def _initialise(cluster: Cluster, console: Console) -> None:
    decrypt(cluster, console, is_told=False)
    if not cluster.clusterenv.is_file():
        # The real one copies its files and ends well here; there is nothing to go on with.
        console.warn(
            "New cluster detected, creating clusterenv.yaml\n Please fill out ClusterEnv.yaml "
            "and run init again, after setting-up clusterenv.yaml!"
        )
        return
    variables = check_cluster(cluster, console)
    write_patches(cluster.talos / "patches", variables)
    console.info("Patch files copied successfully.")
    write_cluster_settings(cluster.root, cluster.name)
    console.info("Configmap reference Created.")
    console.info("Init: Completed Successfully!")


def check_cluster(cluster: Cluster, console: Console) -> dict[str, str]:
    """Read the variables as `init` and `genconfig` check them.

    Raises:
        StopError: one of them is refused.
    """
    variables = _load_variables(cluster, console)
    problem = check_clusterenv(variables)
    if problem:
        console.info(problem)
        raise StopError
    return variables
