"""Image Factory schematics: the id is the SHA-256 of the canonical YAML.

Talhelper asks factory.talos.dev for it; the factory computes the same (siderolabs/image-factory
`pkg/schematic`), so the lab needs no network.
"""

from __future__ import annotations

import hashlib

import yaml

from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["installer_image", "schematic_id"]

_FACTORY = "factory.talos.dev"


def schematic_id(schematic: JsonMap) -> str:
    """Compute the id of a schematic given as talconfig holds it (an empty one is fine)."""
    canonical: JsonMap = {}
    if schematic.get("owner"):
        canonical["owner"] = schematic["owner"]
    overlay = as_map(schematic.get("overlay"))
    if overlay:
        canonical["overlay"] = _keep(
            {"image": as_text(overlay.get("image")), "name": as_text(overlay.get("name"))},
            overlay,
            ("options",),
        )
    canonical["customization"] = _canonical_customization(as_map(schematic.get("customization")))
    text = yaml.safe_dump(canonical, sort_keys=False, indent=4, width=1 << 30)
    return hashlib.sha256(_indent_sequences(text).encode()).hexdigest()


def installer_image(node: JsonMap, factory: JsonMap, version: str) -> str:
    """The installer image of a node.

    Args:
        node: The node's settings (`talosImageURL`, `schematic`, `machineSpec`).
        factory: talconfig's `imageFactory`.
        version: Talos version with `v`.
    """
    url = as_text(node.get("talosImageURL"))
    if url:
        return f"{url}:{version}"
    spec = as_map(node.get("machineSpec"))
    registry = as_text(factory.get("registryURL")) or _FACTORY
    mode = as_text(spec.get("mode")) or "metal"
    secure = "-secureboot" if spec.get("secureboot") is True else ""
    ident = schematic_id(as_map(node.get("schematic")))
    return f"{registry}/{mode}-installer{secure}/{ident}:{version}"


def _canonical_customization(value: JsonMap) -> JsonMap:
    result: JsonMap = {}
    _keep(result, value, ("embeddedMachineConfiguration", "extraKernelArgs", "meta"))
    extensions = as_list(as_map(value.get("systemExtensions")).get("officialExtensions"))
    if extensions:
        result["systemExtensions"] = {"officialExtensions": extensions}
    return _keep(result, value, ("bootloader", "secureboot", "diskImage"))


def _keep(result: JsonMap, source: JsonMap, keys: tuple[str, ...]) -> JsonMap:
    for key in keys:
        value: Json = source.get(key)
        if value:
            result[key] = value
    return result


def _indent_sequences(text: str) -> str:
    # Go indents a sequence under its key; PyYAML writes it at the key's own column.
    lines, shifted = text.splitlines(), []
    for line in lines:
        is_item = line.lstrip().startswith("- ")
        shifted.append(f"    {line}" if is_item else line)
    return "".join(f"{line}\n" for line in shifted)
