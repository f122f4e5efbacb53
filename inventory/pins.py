"""Tool versions that the repository pins: mise.toml and asdf's .tool-versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from inventory.model import Position
from inventory.tree import Tree

# https://mise.jdx.dev/configuration.html
_MISE: Final = (
    "mise.toml",
    ".mise.toml",
    "mise/config.toml",
    ".mise/config.toml",
    ".config/mise.toml",
    ".config/mise/config.toml",
)
_ASDF: Final = ".tool-versions"
# The registry's short names, and the ends of backends' long ones (`aqua:siderolabs/talos`).
_TOOLS: Final = {
    "talosctl": "talosctl",
    "siderolabs/talos": "talosctl",
    "talos": "talosctl",
    "kubectl": "kubectl",
    "kubernetes/kubectl": "kubectl",
    "kubernetes/kubernetes": "kubectl",
    "flux2": "flux",
    "flux": "flux",
    "fluxcd/flux2": "flux",
}
_ASDF_LINE = re.compile(r"^(\S+)[ \t]+(v?\d\S*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned tool: `talosctl`, `kubectl` or `flux`."""

    tool: str
    version: str
    position: Position


def find_pins(tree: Tree, cluster: str) -> Iterator[Pin]:
    """Yield the pins at the repository's root and in the cluster's folder."""
    for folder in ("", f"clusters/{cluster}/"):
        for name in _MISE:
            yield from _read(tree, folder + name, is_toml=True)
        yield from _read(tree, folder + _ASDF, is_toml=False)


def _read(tree: Tree, path: str, *, is_toml: bool) -> Iterator[Pin]:
    text = tree.text(path) if tree.is_file(path) else None
    if text is None:
        return
    for name, version in _mise(text) if is_toml else _ASDF_LINE.findall(text):
        tool = _TOOLS.get(name.rpartition(":")[2])
        if tool is not None:
            yield Pin(tool, version, _find(path, text, name))


def _mise(text: str) -> Iterator[tuple[str, str]]:
    import tomllib  # noqa: PLC0415 - most repositories have no such file

    try:
        tools = tomllib.loads(text).get("tools")
    except (tomllib.TOMLDecodeError, RecursionError):
        return  # mise says so itself, and no cluster depends on it
    for name, value in tools.items() if isinstance(tools, Mapping) else ():
        wanted: object = value[0] if isinstance(value, list) and value else value
        wanted = wanted.get("version") if isinstance(wanted, Mapping) else wanted
        if isinstance(wanted, str):
            yield str(name), wanted


def _find(path: str, text: str, name: str) -> Position:
    for number, line in enumerate(text.splitlines(), 1):
        if name in line and not line.lstrip().startswith("#"):
            return Position(path, number, line.index(name) + 1)
    return Position(path)
