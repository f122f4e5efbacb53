"""Checks of the addresses at which the Talos API is asked.

https://www.talos.dev/latest/talos-guides/network/vip/ advises against the shared address: it
exists only once etcd works, and moves while control planes restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Finding, Json, TalosConfig
from inventory.objects import find_texts, get, get_list, get_mapping
from inventory.rules import make_finding
from inventory.tree import join

_TOOL: Final = "talosctl"
_CONFIGS: Final = ("talosconfig", "talos/talosconfig", "talos/generated/talosconfig")
_FLAG: Final = re.compile(r"(?:^|\s)(?:--endpoints|--nodes|-e|-n)[=\s]+[\"']?([^\s\"']+)")


def check_endpoints(facts: Facts) -> Iterator[Finding]:
    """Yield where the control planes' shared address is taken for a machine's."""
    talos = facts.inventory.talos
    if talos is None or not talos.vip:
        return
    vip = _spellings(facts, talos)
    yield from _configs(facts, vip)
    for _, item in facts.inventory.objects():
        if facts.tree.mentions(item.position.path, _TOOL):
            found = next((value for value in _asked(item.raw) if vip & set(value.split(","))), "")
            if found:
                message = f"{item} asks the Talos API at the VIP: `{found}`"
                yield make_finding("vip-as-talos-endpoint", message, item.position)


def _spellings(facts: Facts, talos: TalosConfig) -> frozenset[str]:
    """Return the address and the variables that stand for it."""
    variables = facts.inventory.variables
    known = {**variables.values, **variables.derived}
    names = {f"${{{name}}}" for name, value in known.items() if value == talos.vip}
    return frozenset({talos.vip, *names})


def _configs(facts: Facts, vip: frozenset[str]) -> Iterator[Finding]:
    folder = join("clusters", facts.inventory.cluster)
    for path in ("talosconfig", *(join(folder, name) for name in _CONFIGS)):
        for document in facts.tree.documents(path) if facts.tree.is_file(path) else ():
            for name, context in get_mapping(document.value, "contexts").items():
                for index, endpoint in enumerate(get_list(context, "endpoints")):
                    if endpoint in vip:
                        message = f"context {name} asks the Talos API at the VIP: `{endpoint}`"
                        place = document.locate("contexts", name, "endpoints", index)
                        yield make_finding("vip-as-talos-endpoint", message, place)


def _asked(value: Json) -> Iterator[str]:
    """Yield what talosctl is told to ask, in every list and text that runs it."""
    texts = " ".join(find_texts(get(value, "spec")))
    if _TOOL in texts:
        yield from _FLAG.findall(texts)
