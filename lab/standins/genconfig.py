"""`genconfig` of the stand-in for ClusterTool: machine configs from talconfig.yaml.

Apart from the other commands, since what makes certificates takes a while to import.
"""

from __future__ import annotations

from pathlib import Path

from lab.standins.clustercommands import Cluster, StopError, check_cluster, decrypt
from lab.standins.clusterfiles import ClusterFilesError, read_decrypted, write_cluster_settings
from lab.standins.golog import Console
from lab.standins.machineconfig.generate import GenerationError, Sources, generate_files
from lab.standins.machineconfig.substitution import read_clusterenv
from lab.standins.machineconfig.talconfig import Talconfig, TalconfigError, load_talconfig
from lab.standins.machineconfig.yaml_door import YamlError
from lab.standins.secrets_bundle import make_talsecret

__all__ = ["generate"]


def generate(cluster: Cluster, console: Console) -> None:
    """Decrypt, check, and write what machines get.

    Raises:
        StopError: something is refused; it was said.
    """
    if Path("RUNAGAIN").exists():
        console.fatal("You need to re-run Init. Exiting...")
        raise StopError
    decrypt(cluster, console)
    config, variables = _load_talconfig(cluster, console)
    console.info("Creating TalEnv configmap reference 'clustersettings'.")
    write_cluster_settings(cluster.root, cluster.name)
    console.info("Configmap reference Created.")
    variables |= check_cluster(cluster, console)
    _ensure_talsecret(cluster, console)
    _write_configs(cluster, config, variables, console)
    console.info("Kustomizations processed successfully.")
    console.info("GenConfig: Completed Successfully!")


def _load_talconfig(cluster: Cluster, console: Console) -> tuple[Talconfig, dict[str, str]]:
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
        raise StopError from error
    except ClusterFilesError as error:
        reason = f"trying to decrypt {error.path} with sops: SOPS decryption failed: {error.reason}"
        console.fatal(
            "failed to parse talconfig or talenv file: %s", f"failed to load env file: {reason}"
        )
        raise StopError from error
    except YamlError as error:
        console.fatal("failed to parse talconfig or talenv file: %s", str(error))
        raise StopError from error


def _ensure_talsecret(cluster: Cluster, console: Console) -> None:
    console.info("Running TalSecret check-and-create...")
    if cluster.talsecret.exists():
        return
    console.info("Generating TalSecret...")
    cluster.generated.mkdir(parents=True, exist_ok=True)
    cluster.talsecret.write_text(make_talsecret(indent=2))


def _write_configs(
    cluster: Cluster, config: Talconfig, variables: dict[str, str], console: Console
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
        raise StopError from error
    _write_gitignore(cluster.generated / ".gitignore", names)
    console.write(f"generated .gitignore file in {cluster.generated}/.gitignore\n")


def _write_gitignore(path: Path, names: list[str]) -> None:
    lines = path.read_text().splitlines() if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in dict.fromkeys([*lines, *names])))
