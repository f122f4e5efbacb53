"""From which version of Kubernetes to which: found in the cluster, and refused where it is too far.

Source: `kubernetes/upgrade/path.go` of go-kubernetes and `pkg/cluster/kubernetes` of Talos v1.13.9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.text import quote
from lab.standins.values import JsonMap, as_list, as_map, as_text

__all__ = ["check_path", "check_talos", "find_lowest"]

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)$")
_OLDEST, _NEWEST = 31, 36  # minors of Kubernetes that Talos 1.13 takes


def find_lowest(pods: JsonMap, components: Sequence[str]) -> str:
    """Find the lowest version among the pods of the control plane's components and kube-proxy."""
    found: list[str] = []
    for item in as_list(pods.get("items")):
        labels = as_map(as_map(as_map(item).get("metadata")).get("labels"))
        if as_text(labels.get("k8s-app")) in {"kube-proxy", *components}:
            containers = as_list(as_map(as_map(item).get("spec")).get("containers"))
            found += [as_text(as_map(c).get("image")).rpartition(":")[2] for c in containers]
    versions = [tag.removeprefix("v") for tag in found if _VERSION.match(tag)]
    if not versions:
        raise CommandError(
            "error detecting the lowest Kubernetes version failed to detect lowest Kubernetes "
            "version"
        )
    return min(versions, key=_order)


def check_path(begin: str, end: str) -> None:
    """Refuse a path of more than one minor, and one that this talosctl does not know."""
    for word, version in (("from", begin), ("to", end)):
        if not _VERSION.match(version):
            major = "0" + version.partition(".")[0]  # as its library fills it up
            raise CommandError(
                f"error creating upgrade path error parsing {word} version: "
                f"Invalid character(s) found in major number {quote(major)}"
            )
    (_, old, _), (_, new, _) = _order(begin), _order(end)
    if new - old not in {0, 1} or new > _NEWEST:
        raise CommandError(
            f"unsupported upgrade path 1.{old}->1.{new} (from {quote(begin)} to {quote(end)})"
        )


def check_talos(version: str, talos: str) -> None:
    """Refuse a version of Kubernetes that a node's Talos does not take."""
    minor = _order(version)[1]
    if not _OLDEST <= minor <= _NEWEST:
        word = "old" if minor < _OLDEST else "new"
        raise CommandError(
            f"version of Kubernetes {version} is too {word} to be used with Talos {talos}"
        )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
