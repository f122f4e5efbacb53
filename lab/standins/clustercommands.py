"""What the stand-in for ClusterTool does: `init`, `genconfig`, `decrypt`, in a repository's root.

Follows trueforge-org/clustertool `cmd/` and `pkg/{gencmd,initfiles,sops,talassist}`: the log goes
to standard output, decryption happens in place with the key in `./age.agekey`, `init` writes the
patches that Git ignores, `genconfig` fails without them. Left out: the network (the Image
Factory's answer is computed), the Kubernetes folder's kustomizations, Git hooks.
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
    read_decrypted,
    write_cluster_settings,
    write_patches,
)
from lab.standins.golog import Console
from lab.standins.machineconfig.generate import GenerationError, Sources, generate_files
from lab.standins.machineconfig.substitution import read_clusterenv
from lab.standins.machineconfig.talconfig import Talconfig, TalconfigError, load_talconfig
from lab.standins.machineconfig.yaml_door import YamlError
from lab.standins.secrets_bundle import make_talsecret

__all__ = ["run_command"]

_COMMANDS = ("init", "genconfig", "decrypt")


class _StopError(Exception):
    """End with exit code 1; everything was already said."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Paths of one cluster, relative to the repository root as ClusterTool prints them."""

    name: str

    @property
    def root(self) -> Path:
        return Path("clusters") / self.name

    @property
    def clusterenv(self) -> Path:
        return self.root / "clusterenv.yaml"

    @property
    def talos(self) -> Path:
        return self.root / "talos"

    @property
    def generated(self) -> Path:
        return self.talos / "generated"

    @property
    def talsecret(self) -> Path:
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
    cluster = _Cluster(name)
    try:
        if command == "genconfig":
            _generate(cluster, console)
        elif command == "init":
            _initialise(cluster, console)
        else:
            _decrypt(cluster, console)
    except _StopError:
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


def _decrypt(cluster: _Cluster, console: Console, *, is_told: bool = True) -> None:
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


def _load_variables(cluster: _Cluster, console: Console) -> dict[str, str]:
    if not cluster.clusterenv.is_file():
        console.fatal("clusterenv.yaml file not found, exiting...")
        raise _StopError
    text = cluster.clusterenv.read_text()
    try:
        variables = read_clusterenv(text, cluster.name)
    except YamlError as error:
        console.info(f"Error loading environment from clusterenv.yaml: {error}\n")
        raise _StopError from error
    line = find_unquoted_number(text)
    if line:
        console.error(f"Unquoted number found ./{cluster.clusterenv} line: {line}")
        raise _StopError
    console.info("ClusterEnv loaded successfully\n")
    return variables


def _initialise(cluster: _Cluster, console: Console) -> None:
    _decrypt(cluster, console, is_told=False)
    if not cluster.clusterenv.is_file():
        # The real one copies its files and ends well here; there is nothing to go on with.
        console.warn(
            "New cluster detected, creating clusterenv.yaml\n Please fill out ClusterEnv.yaml "
            "and run init again, after setting-up clusterenv.yaml!"
        )
        return
    variables = _check(cluster, console)
    write_patches(cluster.talos / "patches", variables)
    console.info("Patch files copied successfully.")
    write_cluster_settings(cluster.root, cluster.name)
    console.info("Configmap reference Created.")
    console.info("Init: Completed Successfully!")


def _check(cluster: _Cluster, console: Console) -> dict[str, str]:
    variables = _load_variables(cluster, console)
    problem = check_clusterenv(variables)
    if problem:
        console.info(problem)
        raise _StopError
    return variables


def _generate(cluster: _Cluster, console: Console) -> None:
    if Path("RUNAGAIN").exists():
        console.fatal("You need to re-run Init. Exiting...")
        raise _StopError
    _decrypt(cluster, console)
    config, variables = _load_talconfig(cluster, console)
    console.info("Creating TalEnv configmap reference 'clustersettings'.")
    write_cluster_settings(cluster.root, cluster.name)
    console.info("Configmap reference Created.")
    variables |= _check(cluster, console)
    _ensure_talsecret(cluster, console)
    _write_configs(cluster, config, variables, console)
    console.info("Kustomizations processed successfully.")
    console.info("GenConfig: Completed Successfully!")


def _load_talconfig(cluster: _Cluster, console: Console) -> tuple[Talconfig, dict[str, str]]:
    variables: dict[str, str] = {}
    try:
        if cluster.clusterenv.is_file():
            variables = read_clusterenv(read_decrypted(cluster.clusterenv), cluster.name)
        return load_talconfig(cluster.talos / "talconfig.yaml", variables), variables
    except TalconfigError as error:
        if error.findings:
            console.write("There are issues with your Talhelper config file:\n")
        for name, messages in error.findings.items():
            console.write(f'field: "{name}"\n' + "".join(f"{item}\n" for item in messages))
        console.fatal("failed to parse talconfig or talenv file: %s", str(error))
        raise _StopError from error
    except ClusterFilesError as error:
        reason = f"trying to decrypt {error.path} with sops: SOPS decryption failed: {error.reason}"
        console.fatal(
            "failed to parse talconfig or talenv file: %s", f"failed to load env file: {reason}"
        )
        raise _StopError from error
    except YamlError as error:
        console.fatal("failed to parse talconfig or talenv file: %s", str(error))
        raise _StopError from error


def _ensure_talsecret(cluster: _Cluster, console: Console) -> None:
    console.info("Running TalSecret check-and-create...")
    if cluster.talsecret.exists():
        return
    console.info("Generating TalSecret...")
    cluster.generated.mkdir(parents=True, exist_ok=True)
    cluster.talsecret.write_text(make_talsecret(indent=2))


def _write_configs(
    cluster: _Cluster, config: Talconfig, variables: dict[str, str], console: Console
) -> None:
    sources = Sources(variables, read_decrypted, cluster.talsecret)
    names: list[str] = []
    try:
        for item in generate_files(config, sources):
            path = cluster.generated / item.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(item.text)
            names.append(item.name)
            what = f"config for {item.hostname}" if item.hostname else "client config"
            console.write(f"generated {what} in {path}\n")
    except (ClusterFilesError, GenerationError) as error:
        reason = str(error)
        if isinstance(error, ClusterFilesError):
            reason = f"SOPS decryption failed: {error.reason}"
        console.fatal(f"failed to generate talos config: {reason}", reason)
        raise _StopError from error
    _write_gitignore(cluster.generated / ".gitignore", names)
    console.write(f"generated .gitignore file in {cluster.generated}/.gitignore\n")


def _write_gitignore(path: Path, names: list[str]) -> None:
    lines = path.read_text().splitlines() if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in dict.fromkeys([*lines, *names])))
