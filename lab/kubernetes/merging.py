"""Server-side apply: merging what a manager wants into what is there.

Rules: https://kubernetes.io/docs/reference/using-api/server-side-apply/. A manager owns the
fields of its last apply; fields it leaves out are removed unless somebody else owns them; a
field of another manager with another value is a conflict unless forced.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.kubernetes.errors import ConflictError
from lab.kubernetes.fields import Path, Paths, find, paths_of, read_fields, remove, show
from lab.kubernetes.fields import write_fields as write_paths
from lab.kubernetes.lists import ATOMIC, SET, ListRule, item_key
from lab.kubernetes.values import Json, Object, at, clone, clone_map, grow, maps, text

__all__ = ["Owner", "apply_fields", "merge_apply", "note_update", "read_owners", "write_owners"]


@dataclass(frozen=True, slots=True)
class Owner:
    """One line of managedFields, without its fields; `operation` is Apply or Update."""

    manager: str
    operation: str
    subresource: str = ""


Owners = dict[Owner, Paths]


def read_owners(obj: Object) -> Owners:
    """Read managedFields."""
    return {
        Owner(
            text(entry, "manager"), text(entry, "operation"), text(entry, "subresource")
        ): read_fields(at(entry, "fieldsV1"))
        for entry in maps(obj, "metadata", "managedFields")
    }


def write_owners(obj: Object, owners: Owners, now: str) -> None:
    """Write managedFields; entries that did not change keep their time."""
    old = {
        Owner(text(item, "manager"), text(item, "operation"), text(item, "subresource")): item
        for item in maps(obj, "metadata", "managedFields")
    }
    entries: list[Json] = []
    for owner, paths in owners.items():
        if not paths:
            continue
        fields = write_paths(paths)
        before = old.get(owner, {})
        entry: Object = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": text(obj, "apiVersion"),
            "time": text(before, "time") if before.get("fieldsV1") == fields else now,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if owner.subresource:
            entry["subresource"] = owner.subresource
        entries.append(entry)
    metadata = grow(obj, "metadata")
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def apply_fields(
    live: Object, wanted: Object, owner: Owner, rule: ListRule, *, force: bool, now: str
) -> Object:
    """Merge `wanted` into a copy of `live` as `owner` and keep the books.

    Raises:
        ConflictError: fields belong to others with other values, and `force` is off.
    """
    owners = read_owners(live)
    paths = paths_of(wanted, rule)
    theirs_here = [
        (other, path)
        for other, theirs in owners.items()
        if other != owner
        for path in sorted(theirs & paths)
    ]
    taken = _find_conflicts(live, wanted, theirs_here, rule)
    if taken and not force:
        raise ConflictError.of_fields(
            [(_show_owner(other, text(live, "apiVersion")), show(path)) for other, path in taken]
        )
    for other, path in taken:
        owners[other] = owners[other] - {path}
    merged = merge_apply(clone_map(live), wanted, rule)
    others = frozenset(
        path for other, theirs in owners.items() if other != owner for path in theirs
    )
    for path in sorted(owners.get(owner, frozenset()) - paths, key=len):
        if not any(theirs[: len(path)] == path for theirs in others):
            remove(merged, path, rule)
    owners[owner] = paths
    write_owners(merged, owners, now)
    return merged


def merge_apply(live: Object, wanted: Object, rule: ListRule) -> Object:
    """Merge `wanted` into `live`, in place: maps by key, lists by the kind's rule."""
    _merge(live, wanted, (), rule)
    return live


def note_update(before: Object, after: Object, owner: Owner, rule: ListRule, now: str) -> None:
    """Keep the books for a write that was no apply: changed fields become the writer's."""
    old, new = paths_of(before, rule), paths_of(after, rule)
    changed = {
        path
        for path in new
        if path not in old or find(before, path, rule) != find(after, path, rule)
    }
    changed = {path for path in changed if not path[-1].startswith("k:") or path not in old}
    gone = old - new
    owners = read_owners(before)
    if changed or gone:
        owners = {
            other: paths - gone - (changed if other != owner else frozenset())
            for other, paths in owners.items()
        }
        owners[owner] = owners.get(owner, frozenset()) | changed
    managed = at(before, "metadata").get("managedFields")
    grow(after, "metadata")["managedFields"] = managed if managed is not None else []
    write_owners(after, owners, now)


def _show_owner(owner: Owner, api_version: str) -> str:
    shown = f'"{owner.manager}"'
    if owner.subresource:
        shown += f' with subresource "{owner.subresource}"'
    return f"{shown} using {api_version}" if owner.operation == "Update" else shown


def _find_conflicts(
    live: Object, wanted: Object, shared: list[tuple[Owner, Path]], rule: ListRule
) -> list[tuple[Owner, Path]]:
    return [
        (other, path)
        for other, path in shared
        if not path[-1].startswith(("k:", "v:"))
        and find(live, path, rule) != find(wanted, path, rule)
    ]


def _merge(live: Object, wanted: Object, names: tuple[str, ...], rule: ListRule) -> None:
    for key, value in wanted.items():
        below = live.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value, (*names, key), rule)
        elif isinstance(value, list) and isinstance(below, list):
            live[key] = _merge_lists(below, value, (*names, key), rule)
        elif value is None:
            live.pop(key, None)
        else:
            live[key] = clone(value)


def _merge_lists(
    live: list[Json], wanted: list[Json], names: tuple[str, ...], rule: ListRule
) -> list[Json]:
    keys = rule(names)
    if keys == ATOMIC:
        return [clone(item) for item in wanted]
    if keys == SET:
        return live + [item for item in wanted if item not in live]
    here = {item_key(keys, item): item for item in live}
    for item in wanted:
        key = item_key(keys, item)
        below = here.get(key)
        if isinstance(below, dict) and isinstance(item, dict):
            _merge(below, item, names, rule)
        else:
            here[key] = clone(item)
    return list(here.values())
