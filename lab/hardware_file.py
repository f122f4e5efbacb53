"""The file in which a user describes the hardware that the lab shall play.

`clusters/NAME/lab-hardware.yaml` of the repository, read from the work tree, whether committed or
not. What it leaves out is derived from the node's name, as for a node that it does not name. Words
are those of `talosctl get disks -o yaml`, so that what a real machine says can be copied.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from inventory.documents import Document, parse_documents
from inventory.model import Json
from lab.machines import Disk, Hardware, Nic
from lab.machines.hardware import parse_size

__all__ = ["HARDWARE_FILE", "HardwareFileError", "read_hardware"]

HARDWARE_FILE = "lab-hardware.yaml"

_MACHINE = ("uuid", "serial", "manufacturer", "product", "memory", "cpus", "disks", "nics")
_DISK = (
    *("name", "size", "model", "serial", "wwid", "uuid", "modalias", "bus_path", "transport"),
    *("rotational", "readonly", "cdrom", "holds", "symlinks"),
)
_NIC = ("name", "mac", "driver")
_TRANSPORTS = ("ata", "mmc", "nvme", "sas", "sata", "scsi", "usb", "virtio")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class HardwareFileError(ValueError):
    """The file does not describe machines; the text names place, value and repair."""


def read_hardware(path: Path, derived: Mapping[str, Hardware]) -> Mapping[str, Hardware]:
    """Read the file and lay it over what was derived for each node; without a file, only that.

    Raises:
        HardwareFileError: it cannot be read, or says something that no machine has.
    """
    if not path.is_file():
        return derived
    documents, problems = parse_documents(str(path), path.read_text(encoding="utf-8"))
    for problem in problems:
        raise HardwareFileError(f"{path}:{problem.line}:{problem.column}: {problem.message}")
    if not documents:
        return derived
    root = _Node(documents[0], (), documents[0].value, ("machines",))
    machines = root.child("machines", tuple(derived))
    return {
        name: _read_machine(machines.child(name, _MACHINE), hardware)
        if machines.has(name)
        else hardware
        for name, hardware in derived.items()
    }


def _read_machine(node: _Node, base: Hardware) -> Hardware:
    disks = tuple(_read_disk(item) for item in node.items("disks", _DISK))
    return replace(
        base,
        uuid=node.uuid("uuid", base.uuid),
        serial=node.text("serial", base.serial),
        manufacturer=node.text("manufacturer", base.manufacturer),
        product=node.text("product", base.product),
        memory=node.size("memory", base.memory),
        cpus=node.number("cpus", base.cpus),
        disks=disks or base.disks,
        has_known_disks=bool(disks),
        nics=tuple(_read_nic(item) for item in node.items("nics", _NIC)) or base.nics,
    )


def _read_disk(node: _Node) -> Disk:
    name = node.require("name").removeprefix("/dev/")
    node.require("size")
    empty = Disk(name, 0)
    kind = "nvme" if name.startswith("nvme") else "mmc" if name.startswith("mmc") else "sata"
    return Disk(
        name=name,
        size=node.size("size", 0),
        model=node.text("model", empty.model),
        serial=node.text("serial", ""),
        wwid=node.text("wwid", ""),
        uuid=node.text("uuid", ""),
        modalias=node.text("modalias", empty.modalias),
        bus_path=node.text("bus_path", empty.bus_path),
        transport=node.choice("transport", kind, _TRANSPORTS),
        rotational=node.flag("rotational"),
        readonly=node.flag("readonly"),
        cdrom=node.flag("cdrom"),
        holds=node.text("holds", ""),
        symlinks=node.texts("symlinks"),
    )


def _read_nic(node: _Node) -> Nic:
    mac = node.require("mac").lower()
    if not _MAC.fullmatch(mac):
        node.refuse("mac", f"not a MAC address: `{mac}`", "write it as `aa:bb:cc:dd:ee:ff`")
    return Nic(node.require("name"), mac, node.text("driver", "virtio_net"))


class _Node:
    """A mapping of the file whose keys are known; what does not fit is refused with its place."""

    def __init__(
        self, document: Document, keys: tuple[str | int, ...], value: Json, known: Collection[str]
    ) -> None:
        self._document = document
        self._keys = keys
        if not isinstance(value, Mapping):
            self._raise(keys, f"expected a mapping: `{value}`", f"keys are {', '.join(known)}")
        self._values = value
        for key in value:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"keys are {', '.join(known)}"
                self._raise((*keys, key), f"unknown key: `{key}`", hint)

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self._values

    def child(self, key: str, known: Collection[str]) -> _Node:
        """Read the mapping under a key; a missing one is empty."""
        return _Node(self._document, (*self._keys, key), self._values.get(key, {}), known)

    def items(self, key: str, known: Collection[str]) -> Sequence[_Node]:
        """Read a list of mappings; a missing one is empty."""
        return [
            _Node(self._document, (*self._keys, key, index), item, known)
            for index, item in enumerate(self._list(key))
        ]

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; a missing one is empty."""
        return tuple(str(item) for item in self._list(key))

    def text(self, key: str, default: str) -> str:
        """Read a scalar as text."""
        value = self._values.get(key, default)
        if value is None or isinstance(value, Mapping | list):
            self.refuse(key, f"expected a text: `{value}`", f"put the {key} into quotes")
        return str(value)

    def require(self, key: str) -> str:
        """Read a text that must be there."""
        if not self.has(key):
            self._raise(self._keys, f"`{key}` is missing", f"add `{key}`")
        return self.text(key, "")

    def size(self, key: str, default: int) -> int:
        """Read a size in bytes, with a unit or without."""
        if not self.has(key):
            return default
        text = self.text(key, "")
        try:
            return parse_size(text)
        except ValueError:
            self.refuse(key, f"size cannot be read: `{text}`", "write it as `1TB` or `32GiB`")

    def number(self, key: str, default: int) -> int:
        """Read a whole number that is not negative."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.refuse(key, f"expected a whole number: `{value}`", "write digits only")
        return value

    def flag(self, key: str) -> bool:
        """Read a boolean; a missing one is false."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, f"expected true or false: `{value}`", "write `true` or `false`")
        return value

    def choice(self, key: str, default: str, known: Collection[str]) -> str:
        """Read one of several words."""
        word = self.text(key, default)
        if word not in known:
            self.refuse(key, f"unknown {key}: `{word}`", f"one of {', '.join(known)}")
        return word

    def uuid(self, key: str, default: str) -> str:
        """Read a UUID."""
        text = self.text(key, default)
        try:
            return str(UUID(text))
        except ValueError:
            self.refuse(key, f"not a UUID: `{text}`", "copy it from `get systeminformation`")

    def refuse(self, key: str, problem: str, hint: str) -> NoReturn:
        """Raise what is wrong with the value of a key, and how to mend it."""
        self._raise((*self._keys, key), problem, hint)

    def _list(self, key: str) -> Sequence[Json]:
        value = self._values.get(key, [])
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.refuse(key, f"expected a list: `{value}`", "begin each item with `- `")
        return value

    def _raise(self, keys: tuple[str | int, ...], problem: str, hint: str) -> NoReturn:
        place = self._document.locate(*keys)
        raise HardwareFileError(f"{place}: {problem}\nhint: {hint}")
