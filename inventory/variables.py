"""The cluster's variables: clusterenv.yaml, what ClusterTool derives from it, Flux' sources.

ClusterTool derives `X_IP`, `X_NETMASK` (24 when none is given) and `X_CIDR` from every value that
parses as an address, and adds CLUSTERNAME (clustertool v4 `pkg/initfiles/clusterenv.go`).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Mapping

from inventory.documents import Document
from inventory.model import Json, JsonObject, Position, VariableSet
from inventory.objects import (
    as_text,
    get_mapping,
    get_text,
    is_scalar,
    kind_of,
    name_of,
    namespace_of,
)

DEFAULT_NETMASK = 24


def is_encrypted(value: Json) -> bool:
    """Say whether a value is SOPS ciphertext."""
    return isinstance(value, str) and value.startswith("ENC[AES256_GCM,")


def is_sops_document(value: Json) -> bool:
    """Say whether SOPS has encrypted this document."""
    sops = get_mapping(value, "sops")
    return bool(get_text(sops, "mac")) and "lastmodified" in sops


def read_clusterenv(document: Document) -> tuple[tuple[str, ...], dict[str, str], bool]:
    """Return names, readable values and whether anything is ciphertext."""
    value = document.value if isinstance(document.value, Mapping) else {}
    names = tuple(name for name in value if name != "sops")
    values = {
        name: as_text(value[name])
        for name in names
        if is_scalar(value[name]) and not is_encrypted(value[name])
    }
    return names, values, len(values) < len(names) or is_sops_document(value)


def derive(values: Mapping[str, str], cluster: str) -> dict[str, str]:
    """Return the names that ClusterTool adds to clusterenv."""
    derived: dict[str, str] = {}
    for name, value in values.items():
        address, _, mask = value.partition("/")
        if not _is_address(address) or (mask and not mask.isdecimal()):
            continue
        netmask = mask or str(DEFAULT_NETMASK)
        derived[f"{name}_IP"] = address
        derived[f"{name}_NETMASK"] = netmask
        derived[f"{name}_CIDR"] = f"{address}/{netmask}"
    derived["CLUSTERNAME"] = cluster
    return derived


def derived_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names that may be derived when the values cannot be read."""
    made = {f"{name}_{suffix}" for name in names for suffix in ("IP", "NETMASK", "CIDR")}
    return frozenset(made | {"CLUSTERNAME"})


def read_set(value: JsonObject, position: Position) -> VariableSet:
    """Return a ConfigMap or Secret as Flux substitutes from it: newlines are dropped."""
    names: set[str] = set()
    values: dict[str, str] = {}
    encrypted = False
    for field in ("data", "stringData"):
        for name, item in get_mapping(value, field).items():
            names.add(name)
            text = None if is_encrypted(item) else _plain(item, kind_of(value), field)
            if text is None:
                encrypted = True
            else:
                values[name] = text.replace("\n", "")
    return VariableSet(
        kind=kind_of(value),
        namespace=namespace_of(value),
        name=name_of(value),
        names=frozenset(names),
        values=values,
        encrypted=encrypted,
        position=position,
    )


def _plain(item: Json, kind: str, field: str) -> str | None:
    text = as_text(item) if is_scalar(item) else ""
    if kind != "Secret" or field != "data":
        return text
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
