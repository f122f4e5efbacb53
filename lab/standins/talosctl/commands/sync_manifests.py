"""The last act of `upgrade-k8s`: bootstrap manifests are applied server-side, and inventoried.

Sources: `PerformManifestsSync` of Talos v1.13.9, `kubernetes/ssa` of go-kubernetes v0.2.38. What
was applied is waited for in the order of the manifests; the real tool prints it in any.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import quote as escape

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.commands.console import write
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.kube import Kube, KubeError
from lab.standins.talosctl.proto import child, text
from lab.standins.values import JsonMap, as_list, as_map, as_text, from_untyped

__all__ = ["Sync", "read_manifests"]

_INVENTORY = "talos-bootstrap-manifests-inventory"
_MARK = "config.k8s.io/owning-inventory"
_MAPS = "/api/v1/namespaces/kube-system/configmaps"
_NOT_FOUND = 404
_POLL_S = 2.0
# ApplyAllStaged: what others need comes first.
_FIRST = ("Namespace", "CustomResourceDefinition", "ClusterRole")


class _Change(NamedTuple):
    action: str
    obj: JsonMap
    difference: str = ""

    @property
    def subject(self) -> str:
        return "/".join(filter(None, (_kind(self.obj), _namespace(self.obj), _name(self.obj))))


def read_manifests(client: Client, node: str | None) -> list[JsonMap]:
    """Read the objects of all of a control plane's bootstrap manifests."""
    import yaml  # noqa: PLC0415  slow to import, and only upgrades need it

    request = {"namespace": "controlplane", "type": "Manifests.kubernetes.talos.dev"}
    found: list[JsonMap] = []
    for reply in client.stream("List", {**request}, node=node):
        raw = text(child(child(reply, "resource"), "spec"), "yaml_spec")
        found += [as_map(item) for item in as_list(from_untyped(yaml.safe_load(raw)))]
    return found


class Sync:
    """One synchronization of manifests with a cluster."""

    def __init__(self, kube: Kube, *, prunes: bool, patience_s: float) -> None:
        self._kube = kube
        self._prunes = prunes
        self._patience_s = patience_s
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def show(self, objects: Sequence[JsonMap]) -> None:
        """Say what would change."""
        known = self._read_inventory()
        pruned = [_Change("Pruned", live) for live in self._find_stale(known, objects)]
        for change in (*pruned, *(self._compare(_mark(obj)) for obj in objects)):
            _say(f" < {change.action} {change.subject}")
            if change.difference:
                _say(change.difference)

    def run(self, objects: Sequence[JsonMap]) -> None:
        """Apply what changed, keep the inventory, and wait until it is as wanted."""
        known = self._read_inventory()
        marked = [_mark(obj) for obj in objects]
        changes = [self._compare(obj) for obj in marked]
        for change in sorted(changes, key=_rank):
            if change.action != "unchanged":
                path = self._find_path(change.obj)
                _ask(partial(self._kube.apply, path, change.obj))
        known |= {_write_key(change.obj, self._is_spaced(change.obj)) for change in changes}
        if self._prunes:
            for live in self._find_stale(known, objects):
                _ask(partial(self._kube.delete, self._find_path(live)))
                known.discard(_write_key(live, self._is_spaced(live)))
                changes.append(_Change("deleted", live))
        self._write_inventory(known)
        for change in changes:
            if change.action == "unchanged":
                _say(f" > skipped {change.subject}: no changes")
            else:
                _say(f" < {change.action} {change.subject}")
                _say(change.difference)
        _say("waiting for kubernetes objects to be fully reconciled")
        self._wait([change.obj for change in changes if change.action in {"created", "configured"}])
        _say("done")

    def _compare(self, obj: JsonMap) -> _Change:
        path = self._find_path(obj)
        live = self._find(path)
        if live is None:
            return _Change("created", obj, _differ({}, obj))
        wanted = _ask(lambda: self._kube.apply(f"{path}?dryRun=All", obj))
        if _strip(live) == _strip(wanted):
            return _Change("unchanged", obj)
        return _Change("configured", obj, _differ(_show(live), _show(wanted)))

    def _find(self, path: str) -> JsonMap | None:
        try:
            return self._kube.get(path)
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise CommandError(f"error applying manifests: {error}") from error

    def _read_inventory(self) -> set[str]:
        live = self._find(f"{_MAPS}/{_INVENTORY}")
        return set(as_map((live or {}).get("data")))

    def _write_inventory(self, known: set[str]) -> None:
        data: JsonMap = dict.fromkeys(sorted(known), "")
        metadata: JsonMap = {"name": _INVENTORY, "namespace": "kube-system"}
        body: JsonMap = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        body["data"] = data
        if self._find(f"{_MAPS}/{_INVENTORY}") is None:
            _ask(lambda: self._kube.post(_MAPS, body))
        else:
            _ask(lambda: self._kube.put(f"{_MAPS}/{_INVENTORY}", body))

    def _find_stale(self, known: set[str], objects: Sequence[JsonMap]) -> Iterator[JsonMap]:
        """Find what was applied once and is not among the manifests any more."""
        wanted = {_write_key(obj, self._is_spaced(obj)) for obj in objects}
        for key in sorted(known - wanted):
            namespace, _, rest = key.partition("_")
            rest, _, kind = rest.rpartition("_")
            name, _, group = rest.rpartition("_")
            path = self._find_kind(group, kind, namespace, name.replace("__", ":"))
            live = self._find(path) if path else None
            if live is not None:
                yield live

    def _find_kind(self, group: str, kind: str, namespace: str, name: str) -> str:
        """Find the path of an object whose version is not known; "" when none serves it."""
        version = "v1"
        if group:
            preferred = as_map((self._find(f"/apis/{group}") or {}).get("preferredVersion"))
            version = as_text(preferred.get("groupVersion"))
        metadata: JsonMap = {"name": name, "namespace": namespace}
        obj: JsonMap = {"apiVersion": version, "kind": kind, "metadata": metadata}
        return self._find_path(obj) if version and self._look_up(obj) is not None else ""

    def _is_spaced(self, obj: JsonMap) -> bool:
        found = self._look_up(obj)
        return found is None or found[1]

    def _find_path(self, obj: JsonMap) -> str:
        found = self._look_up(obj)
        if found is None:
            kind, version = _kind(obj), as_text(obj.get("apiVersion"))
            raise CommandError(
                f'error applying manifests: no matches for kind "{kind}" in version "{version}"'
            )
        plural, is_spaced = found
        space = f"/namespaces/{_namespace(obj) or 'default'}" if is_spaced else ""
        return f"{_find_root(obj)}{space}/{plural}/{escape(_name(obj))}"

    def _look_up(self, obj: JsonMap) -> tuple[str, bool] | None:
        """Ask discovery how a kind is called in paths, and whether it has namespaces."""
        version, kind = as_text(obj.get("apiVersion")), _kind(obj)
        if (version, kind) not in self._paths:
            for item in as_list((self._find(_find_root(obj)) or {}).get("resources")):
                entry = as_map(item)
                if "/" not in as_text(entry.get("name")):
                    found = (as_text(entry.get("name")), entry.get("namespaced") is True)
                    self._paths[version, as_text(entry.get("kind"))] = found
        return self._paths.get((version, kind))

    def _wait(self, objects: Sequence[JsonMap]) -> None:
        deadline = time.monotonic() + self._patience_s
        for obj in objects:
            while not _is_current(self._find(self._find_path(obj)) or {}):
                if time.monotonic() > deadline:
                    subject = _Change("", obj).subject
                    raise CommandError(f"timeout waiting for: [{subject} status: 'InProgress']")
                time.sleep(_POLL_S)


def _ask(what: Callable[[], JsonMap]) -> JsonMap:
    try:
        return what()
    except KubeError as error:
        raise CommandError(f"error applying manifests: {error}") from error


def _say(line: str) -> None:
    write(f"{line}\n")


def _mark(obj: JsonMap) -> JsonMap:
    metadata = as_map(obj.get("metadata"))
    annotations = {**as_map(metadata.get("annotations")), _MARK: _INVENTORY}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _find_root(obj: JsonMap) -> str:
    """Return where the API serves the kinds of an object's version."""
    version = as_text(obj.get("apiVersion"))
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _rank(change: _Change) -> int:
    kind = _kind(change.obj)
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _kind(obj: JsonMap) -> str:
    return as_text(obj.get("kind"))


def _name(obj: JsonMap) -> str:
    return as_text(as_map(obj.get("metadata")).get("name"))


def _namespace(obj: JsonMap) -> str:
    return as_text(as_map(obj.get("metadata")).get("namespace"))


def _write_key(obj: JsonMap, is_spaced: object) -> str:
    group = as_text(obj.get("apiVersion")).rpartition("/")[0]
    space = (_namespace(obj) or "default") if is_spaced else ""
    return "_".join((space, _name(obj).replace(":", "__"), group, _kind(obj)))


def _strip(obj: JsonMap) -> JsonMap:
    """Leave what counts as a difference: labels, annotations, and all but the status."""
    metadata = as_map(obj.get("metadata"))
    kept: JsonMap = {key: metadata.get(key) for key in ("labels", "annotations")}
    rest = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
    return {**rest, "metadata": kept}


def _show(obj: JsonMap) -> JsonMap:
    metadata = {
        key: value for key, value in as_map(obj.get("metadata")).items() if key != "managedFields"
    }
    return {**obj, "metadata": metadata}


def _differ(before: JsonMap, after: JsonMap) -> str:
    import yaml  # noqa: PLC0415  slow to import, and only upgrades need it

    obj = after or before
    parts = (f"{as_text(obj.get('apiVersion'))}.{_kind(obj)}", _namespace(obj), _name(obj))
    path = "/".join(filter(None, parts))
    old, new = (
        yaml.safe_dump(item).splitlines(keepends=True) if item else [] for item in (before, after)
    )
    return "".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))


def _is_current(live: JsonMap) -> bool:
    """Tell whether a workload has become what its spec says; anything else is, once it is there."""
    if _kind(live) not in {"Deployment", "DaemonSet"}:
        return bool(live)
    status = as_map(live.get("status"))
    generation = as_map(live.get("metadata")).get("generation")
    if _kind(live) == "DaemonSet":
        names = ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
        wanted, *counts = (status.get(name) or 0 for name in names)
    else:
        wanted = as_map(live.get("spec")).get("replicas") or 0
        counts = [status.get(name) or 0 for name in ("updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == generation and all(n == wanted for n in counts)
