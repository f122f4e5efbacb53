"""Can a cluster be rebuilt from a clean clone? Each thing that a rebuild needs, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from inventory.model import Inventory, ObjectRef, Position
from inventory.objects import get_text
from inventory.tree import Tree
from inventory.variables import is_sops_document

_TALOS_SECRETS: Final = ("talos/generated/talsecret.yaml", "talos/talsecret.yaml")
_FACTORY: Final = "factory.talos.dev"  # where talhelper takes images from by default
_RUNNERS: Final = ("CronJob", "HelmRelease")


class Place(StrEnum):
    """Where something that a rebuild needs can be found."""

    IN_GIT = "in Git"
    OUTSIDE = "outside Git"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a rebuild needs.

    Attributes:
        reason: Why it counts as being there, or what to do when it is not.
    """

    name: str
    place: Place
    reason: str
    position: Position | None = None


def list_seed_kit(root: Path, inventory: Inventory) -> tuple[Item, ...]:
    """Return what a rebuild needs, read from the files alone; nothing is decrypted or fetched."""
    tree = Tree(str(root), {})
    return (
        *_age_key(tree),
        *_talos(tree, inventory),
        *_patches(inventory),
        *_settings(inventory),
        *_deploy_key(inventory),
        *_sources(inventory),
        *_images(inventory),
        *_backups(inventory),
        *_snapshots(inventory),
    )


def _age_key(tree: Tree) -> Iterator[Item]:
    if not tree.is_file(".sops.yaml"):
        yield Item("age key", Place.MISSING, "no .sops.yaml: nothing is encrypted here")
    elif tree.is_file("age.agekey"):
        yield Item("age key", Place.IN_GIT, "lies in the folder; it must never be committed")
    else:
        yield Item("age key", Place.OUTSIDE, "keep it in two places besides this machine")


def _talos(tree: Tree, inventory: Inventory) -> Iterator[Item]:
    if inventory.talos is None:
        return
    names = [f"clusters/{inventory.cluster}/{name}" for name in _TALOS_SECRETS]
    path = next((name for name in names if tree.is_file(name)), "")
    if not path:
        reason = "without them a rebuild makes another cluster, and etcd snapshots are useless"
        yield Item("Talos secrets", Place.MISSING, reason, Position(names[0]))
        return
    documents = tree.documents(path)
    is_safe = bool(documents) and is_sops_document(documents[0].value)
    reason = "encrypted with SOPS" if is_safe else "plain text: encrypt it before it is committed"
    yield Item("Talos secrets", Place.IN_GIT, reason, Position(path))


def _patches(inventory: Inventory) -> Iterator[Item]:
    talos = inventory.talos
    for path in talos.patch_files if talos is not None else ():
        is_missing = talos is not None and path in talos.missing_patch_files
        place = Place.OUTSIDE if is_missing else Place.IN_GIT
        reason = "ClusterTool generates it" if is_missing else "tracked"
        yield Item(f"patch {path.rpartition('/')[2]}", place, reason, Position(path))


def _settings(inventory: Inventory) -> Iterator[Item]:
    variables = inventory.variables
    if variables.path:
        reason = "encrypted with SOPS" if variables.encrypted else "readable"
        yield Item("clusterenv.yaml", Place.IN_GIT, reason, Position(variables.path))
    wanted = {source for component in inventory.components for source in component.substitute_from}
    for source in sorted(wanted, key=str):
        found = variables.sets.get((source.kind, source.namespace, source.name))
        if found is not None:
            yield Item(f"variables {source}", Place.IN_GIT, "declared live", found.position)
        elif not source.optional:
            yield Item(f"variables {source}", Place.MISSING, "nothing live declares it")


def _deploy_key(inventory: Inventory) -> Iterator[Item]:
    secrets = {item.name: item for _, item in inventory.objects() if item.kind == "Secret"}
    for source in inventory.sources:
        if source.kind != "GitRepository" or not source.is_used or not source.secret:
            continue
        secret = secrets.get(source.secret)
        if secret is None:
            yield Item(f"deploy key {source.secret}", Place.OUTSIDE, f"{source.name} needs it")
        else:
            reason = f"Secret for {source.name}"
            yield Item(f"deploy key {source.secret}", Place.IN_GIT, reason, secret.position)


def _sources(inventory: Inventory) -> Iterator[Item]:
    known = {source.key: source for source in inventory.sources}
    for release in inventory.releases:
        if release.source not in known:
            reason = f"{release.source} is not declared"
            yield Item(f"chart of {release.name}", Place.MISSING, reason, release.position)
    remotes = {_host(s.url) for s in inventory.sources if s.is_used and s.kind == "GitRepository"}
    hosts = {_host(s.url) for s in inventory.sources if s.is_used and s.kind != "GitRepository"}
    for name, found in (("Git remote", remotes), ("charts and images of", hosts)):
        for host in sorted(filter(None, found)):
            yield Item(f"{name} {host}", Place.OUTSIDE, "must answer during a rebuild")


def _host(url: str) -> str:
    if "://" not in url and "@" in url:  # git@host:path
        return url.rpartition("@")[2].partition(":")[0]
    address = url.partition("://")[2] or url
    return address.partition("/")[0].rpartition("@")[2]


def _backups(inventory: Inventory) -> Iterator[Item]:
    count = sum(
        1
        for release in inventory.releases
        for item in _persistences(release.values.get("persistence"))
        if item
    )
    count += sum(item.kind == "ReplicationSource" for _, item in inventory.objects())
    jobs = [item for _, item in inventory.objects() if item.kind == "RecurringJob"]
    backups = [item for item in jobs if get_text(item.raw, "spec", "task").startswith("backup")]
    if count:
        yield Item("application data", Place.OUTSIDE, f"VolSync backups of {count} volumes")
    elif backups:
        yield Item("application data", Place.OUTSIDE, "Longhorn backups", backups[0].position)
    else:
        yield Item("application data", Place.MISSING, "no backup of volumes is declared")


def _images(inventory: Inventory) -> Iterator[Item]:
    talos = inventory.talos
    if talos is None:
        return
    images = {node.talos_image.partition("/")[0] or _FACTORY for node in talos.nodes}
    for host in sorted(images):
        reason = f"Talos {talos.talos_version} with the nodes' extensions; pull it beforehand"
        yield Item(f"installer image of {host}", Place.OUTSIDE, reason, talos.position)


def _snapshots(inventory: Inventory) -> Iterator[Item]:
    """Yield where etcd snapshots come from: a live object whose name or image says so."""
    if inventory.talos is None:
        return
    for _, item in inventory.objects():
        if item.kind in _RUNNERS and _takes_snapshots(item):
            reason = f"{item} takes them; keep them outside the cluster"
            yield Item("etcd snapshot", Place.OUTSIDE, reason, item.position)
            return
    reason = "nothing here takes one: what only etcd knows is lost; see `talosctl etcd snapshot`"
    yield Item("etcd snapshot", Place.MISSING, reason)


def _takes_snapshots(item: ObjectRef) -> bool:
    name = item.name.lower()
    is_named = "etcd" in name and ("backup" in name or "snapshot" in name)
    return is_named or "talos-backup" in name or "talos-backup" in str(item.raw.get("spec", ""))


def _persistences(value: object) -> Iterator[bool]:
    for item in value.values() if isinstance(value, dict) else ():
        yield isinstance(item, dict) and bool(item.get("volsync"))
