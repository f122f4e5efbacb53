"""All files that talhelper writes for one cluster, from talconfig, variables and secrets."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.standins.machineconfig.documents import make_extra_documents, make_v1alpha1
from lab.standins.machineconfig.merge import apply_patch, merge_documents
from lab.standins.machineconfig.network import network_documents
from lab.standins.machineconfig.substitution import SubstitutionError, substitute
from lab.standins.machineconfig.talconfig import Node, Talconfig
from lab.standins.machineconfig.validation import find_unknown_keys, validate_documents
from lab.standins.machineconfig.yaml_door import YamlError, dump_documents, load_documents
from lab.standins.secrets_bundle import (
    SecretsBundle,
    SecretsError,
    issue_admin_certificate,
    parse_bundle,
)
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["GeneratedFile", "GenerationError", "Sources", "generate_files"]

_Documents = list[JsonMap]


class GenerationError(Exception):
    """Talhelper stops; the text is its own."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from.

    Attributes:
        variables: What `${...}` may name.
        read_text: Reads a file, decrypted when SOPS encrypted it.
        secret_file: talsecret.yaml.
    """

    variables: Mapping[str, str] = field(repr=False)
    read_text: Callable[[Path], str]
    secret_file: Path


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """One file to write; `hostname` is empty for the talosconfig."""

    name: str
    text: str = field(repr=False)
    hostname: str = ""


def generate_files(config: Talconfig, sources: Sources) -> Iterator[GeneratedFile]:
    """Yield each node's machine config in talconfig's order, the talosconfig last.

    Raises:
        GenerationError: What talhelper would print; files yielded before stay written.
    """
    secrets = _load_secrets(sources)
    for node in config.nodes:
        documents = _make_node_documents(config, node, secrets, sources)
        yield GeneratedFile(_file_name(config, node), dump_documents([*documents]), node.hostname)
    yield GeneratedFile("talosconfig", _make_talosconfig(config, secrets))


def _load_secrets(sources: Sources) -> SecretsBundle:
    text = sources.read_text(sources.secret_file)
    if not text:
        raise GenerationError(f"secret file {sources.secret_file} is empty")
    try:
        return parse_bundle(substitute(text, sources.variables))
    except (SecretsError, SubstitutionError, YamlError) as error:
        raise GenerationError(str(error)) from error


def _make_node_documents(
    config: Talconfig, node: Node, secrets: SecretsBundle, sources: Sources
) -> _Documents:
    documents: _Documents = [make_v1alpha1(config, _with_file_contents(node, sources), secrets)]
    if config.contract.has_network_documents:
        documents.append({"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "stable"})
        documents = merge_documents(documents, network_documents(node))
    documents = merge_documents(documents, make_extra_documents(node))
    for patch in [*node.patches, *config.texts("patches")]:
        documents = _apply(documents, patch, sources)
    problems = validate_documents(documents, "metal")
    if problems:
        raise GenerationError(problems)
    return documents


def _with_file_contents(node: Node, sources: Sources) -> Node:
    files: list[Json] = []
    for item in as_list(node.settings.get("machineFiles")):
        entry = dict(as_map(item))
        content = as_text(entry.get("content"))
        if content.startswith("@"):
            text = _read(Path(content[1:]), sources)
            skip = entry.get("skipEnvsubst") is True
            entry["content"] = text if skip else substitute(text, sources.variables)
        files.append(entry)
    settings: JsonMap = {**node.settings, "machineFiles": files} if files else node.settings
    return Node(node.hostname, node.addresses, node.is_control_plane, settings)


def _apply(documents: _Documents, patch: str, sources: Sources) -> _Documents:
    text = patch
    try:
        if patch.startswith("@"):
            text = _read(Path(patch[1:]), sources)
            if not text.strip():
                return documents
            text = substitute(text, sources.variables)
        parsed = load_documents(text)
    except (SubstitutionError, YamlError) as error:
        raise GenerationError(str(error)) from error
    if len(parsed) == 1 and isinstance(parsed[0], list):
        return apply_patch(documents, [as_map(item) for item in parsed[0]])
    loaded = [as_map(item) for item in parsed]
    unknown = find_unknown_keys(loaded)
    if unknown:
        raise GenerationError(unknown)
    return merge_documents(documents, loaded)


def _read(path: Path, sources: Sources) -> str:
    try:
        return sources.read_text(path)
    except FileNotFoundError as error:
        raise GenerationError(f"open {path}: no such file or directory") from error


def _file_name(config: Talconfig, node: Node) -> str:
    template = as_text(node.settings.get("filenameTmpl"))
    if not template:
        return f"{config.cluster_name}-{node.hostname}.yaml"
    fields = {
        "ClusterName": config.cluster_name,
        "Hostname": node.hostname,
        "IPAddress": ",".join(node.addresses),
        "Role": "controlplane" if node.is_control_plane else "worker",
    }
    for name, value in fields.items():
        template = template.replace(f"{{{{.{name}}}}}", value)
        template = template.replace(f"{{{{ .{name} }}}}", value)
    return template


def _make_talosconfig(config: Talconfig, secrets: SecretsBundle) -> str:
    try:
        admin = issue_admin_certificate(secrets.os)
    except SecretsError as error:
        raise GenerationError(str(error)) from error
    endpoints = [ip for node in config.nodes if node.is_control_plane for ip in node.addresses]
    nodes = [ip for node in config.nodes for ip in node.addresses]
    context: JsonMap = {
        "endpoints": list[Json](endpoints),
        "nodes": list[Json](nodes),
        "ca": base64.b64encode(secrets.os.crt).decode(),
        "crt": base64.b64encode(admin.crt).decode(),
        "key": base64.b64encode(admin.key).decode(),
    }
    name = config.cluster_name
    return dump_documents([{"context": name, "contexts": {name: context}}], indent=4)
