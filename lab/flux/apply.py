"""Server-side apply as fluxcd/pkg/ssa does it: in order, each group dry-run as a whole first."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inventory.crds import BUILT_IN_GROUPS
from lab.flux.objects import Context
from lab.flux.readiness import NotReadyError, Readiness, Reference, refer_to
from lab.kubernetes.errors import ApiError, ConflictError, NotFoundError, UnavailableError
from lab.kubernetes.values import Json, Object, at, dig, grow, maps, namespace_of, text

__all__ = ["Applied", "Applier", "ApplyError", "mark_owner", "parse_inventory", "write_inventory"]

_GROUP = "kustomize.toolkit.fluxcd.io"
# DefaultApplyOptions of fluxcd/pkg/ssa: definitions and classes get a minute to become ready.
_DEFINITIONS_TIMEOUT_S = 60.0
# fluxcd/pkg/ssa sort.go: these first, in this order; then the rest; webhooks last.
_FIRST = """
    CustomResourceDefinition Namespace ResourceQuota StorageClass ServiceAccount Role
    ClusterRole RoleBinding ClusterRoleBinding ConfigMap Secret Service LimitRange
    PriorityClass Deployment StatefulSet CronJob PodDisruptionBudget
""".split()  # noqa: SIM905  a table reads better than eighteen lines
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class ApplyError(Exception):
    """An object was refused, or a definition did not become ready; nothing after it is applied."""


@dataclass(slots=True)
class Applied:
    """What an apply did: references in order, and which of them it changed or skipped."""

    references: list[Reference] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    skipped: set[Reference] = field(default_factory=set)

    def choose_checked(self, obj: Object) -> list[Reference]:
        """Return what a Kustomization waits for, itself left out: all of it, or what it names."""
        if dig(obj, "spec", "wait") is True:
            found = [item for item in self.references if item not in self.skipped]
        else:
            found = [
                Reference(
                    text(check, "apiVersion"),
                    text(check, "kind"),
                    text(check, "namespace"),
                    text(check, "name"),
                )
                for check in maps(obj, "spec", "healthChecks")
            ]
        myself = refer_to(obj)
        return [item for item in found if item != myself]


class Applier:
    """Applies the objects of one Kustomization."""

    def __init__(self, context: Context, readiness: Readiness) -> None:
        self._context = context
        self._readiness = readiness

    async def apply(self, objects: Sequence[Object]) -> Applied:
        """Apply definitions, then classes, then everything else.

        Each of the three is dry-run completely before any of it is applied: one object whose
        kind is not served keeps all the others out.

        Raises:
            ApplyError: with the text that the Kustomization's status carries.
        """
        applied = Applied()
        groups: tuple[list[Object], list[Object], list[Object]] = ([], [], [])
        for obj in objects:
            _normalise(obj)
            groups[_group_of(obj)].append(obj)
        for group in groups:
            before, changed = len(applied.references), len(applied.changed)
            try:
                await self._apply_group(group, applied)
                if group is not groups[-1]:
                    await self._wait(applied.references[before:])
            except ApplyError as failed:
                # What the stages before changed is told after the error, a line each.
                log = "".join(f"{line}\n" for line in applied.changed[:changed])
                raise ApplyError(f"{failed}\n{log}") from failed
        return applied

    async def prune(self, stale: Sequence[Reference]) -> list[str]:
        """Delete what is no longer built; objects may opt out by label or annotation."""
        deleted = []
        for reference in reversed(stale):
            found = await self._context.client.find(
                reference.api_version, reference.kind, reference.name, reference.namespace
            )
            if found is None or _opts(found, "prune") == "disabled":
                continue
            try:
                await self._context.client.delete(
                    reference.api_version, reference.kind, reference.name, reference.namespace
                )
            except NotFoundError:
                continue
            deleted.append(f"{reference} deleted")
        return deleted

    async def _apply_group(self, group: Sequence[Object], applied: Applied) -> None:
        ordered = sorted(group, key=_rank)
        wanted: list[tuple[Object, Object | None]] = []
        for obj in ordered:
            existing = await self._find(obj)
            if _is_skipped(obj, existing):
                applied.references.append(refer_to(obj))
                applied.skipped.add(refer_to(obj))
                continue
            await self._dry_run(obj)
            wanted.append((obj, existing))
        for obj, existing in wanted:
            try:
                now = await self._context.client.apply(
                    obj, manager=self._context.manager, force=True
                )
            except ApiError as refused:
                raise ApplyError(f"{refer_to(obj)} apply failed: {refused.message}") from refused
            applied.references.append(_refer_to_stored(obj, now))
            if existing is None:
                applied.changed.append(f"{refer_to(obj)} created")
            elif _version(existing) != _version(now):
                applied.changed.append(f"{refer_to(obj)} configured")

    async def _find(self, obj: Object) -> Object | None:
        reference = refer_to(obj)
        try:
            return await self._context.client.find(
                reference.api_version, reference.kind, reference.name, reference.namespace
            )
        except UnavailableError:
            return None  # the dry run tells

    async def _dry_run(self, obj: Object) -> None:
        shown = refer_to(obj)
        if not await self._context.client.serves(shown.api_version, shown.kind):
            # The client library's own words: it never reaches the server.
            raise ApplyError(
                f'{shown} dry-run failed: no matches for kind "{shown.kind}" '
                f'in version "{shown.api_version}"'
            )
        try:
            await self._context.client.apply(
                obj, manager=self._context.manager, force=True, dry_run=True
            )
        except NotFoundError as missing:
            where = "not found" if shown.namespace else "namespace not specified"
            raise ApplyError(f"{shown} {where}: {missing.message}") from missing
        except ConflictError as conflict:
            raise ApplyError(
                f"{shown} dry-run failed (FieldManagerConflict): {conflict.message}"
            ) from conflict
        except ApiError as refused:
            # etcd's own words come without a reason.
            reason = f" ({refused.reason})" if refused.reason else ""
            raise ApplyError(f"{shown} dry-run failed{reason}: {refused.message}") from refused

    async def _wait(self, references: Sequence[Reference]) -> None:
        try:
            await self._readiness.wait(references, _DEFINITIONS_TIMEOUT_S)
        except NotReadyError as late:
            raise ApplyError(str(late)) from late


def mark_owner(objects: Sequence[Object], kustomization: Object) -> None:
    """Put the owner's labels on the objects, and the metadata that it wants on all of them."""
    common = at(kustomization, "spec", "commonMetadata")
    name, namespace = text(kustomization, "metadata", "name"), namespace_of(kustomization)
    for obj in objects:
        labels = grow(obj, "metadata", "labels")
        labels.update({f"{_GROUP}/name": name, f"{_GROUP}/namespace": namespace})
        labels.update(at(common, "labels"))
        if common.get("annotations"):
            grow(obj, "metadata", "annotations").update(at(common, "annotations"))


def write_inventory(references: Sequence[Reference]) -> Object:
    """Write `status.inventory`: `namespace_name_group_kind` and the version of each object."""
    entries: list[Json] = []
    for reference in references:
        group, _, version = reference.api_version.rpartition("/")
        # Names of RBAC objects may hold colons, which the format of cli-utils escapes.
        name = reference.name.replace(":", "__")
        entries.append(
            {"id": f"{reference.namespace}_{name}_{group}_{reference.kind}", "v": version}
        )
    return {"entries": entries}


def parse_inventory(kustomization: Object) -> list[Reference]:
    """Read `status.inventory`."""
    found = []
    for entry in maps(kustomization, "status", "inventory", "entries"):
        namespace, rest = text(entry, "id").split("_", 1)
        name, group, kind = rest.rsplit("_", 2)
        version = text(entry, "v")
        api_version = f"{group}/{version}" if group else version
        found.append(Reference(api_version, kind, namespace, name.replace("__", ":")))
    return found


def _refer_to_stored(obj: Object, stored: Object) -> Reference:
    # A cluster-scoped object loses a namespace that its manifest gave it by mistake.
    asked = refer_to(obj)
    return Reference(asked.api_version, asked.kind, namespace_of(stored), asked.name)


def _group_of(obj: Object) -> int:
    api_version, kind = text(obj, "apiVersion"), text(obj, "kind")
    definitions = {
        "CustomResourceDefinition": "apiextensions.k8s.io/",
        "ClusterRole": "rbac.authorization.k8s.io/",
    }
    if (kind, api_version) == ("Namespace", "v1"):
        return 0
    if kind in definitions and api_version.startswith(definitions[kind]):
        return 0
    return 1 if kind.endswith("Class") else 2


def _rank(obj: Object) -> tuple[int, str, str, str]:
    kind = text(obj, "kind")
    rank = len(_FIRST)
    if kind in _FIRST:
        rank = _FIRST.index(kind)
    elif kind in _LAST:
        rank = len(_FIRST) + 1
    return rank, kind, namespace_of(obj), text(obj, "metadata", "name")


def _opts(obj: Object, option: str) -> str:
    metadata = at(obj, "metadata")
    key = f"{_GROUP}/{option}"
    return (text(metadata, "annotations", key) or text(metadata, "labels", key)).lower()


def _is_skipped(obj: Object, existing: Object | None) -> bool:
    live: Mapping[str, Json] = existing or {}
    for candidate in (obj, dict(live)):
        if _opts(candidate, "reconcile") == "disabled" or _opts(candidate, "ssa") == "ignore":
            return True
    return existing is not None and _opts(obj, "ssa") == "ifnotpresent"


def _normalise(obj: Object) -> None:
    """Forget SOPS' stanza, as the controller's typed objects do, and refuse where they cannot.

    fluxcd/pkg `ssa/normalize`: what does not fit the type of a built-in kind stays as it is, and a
    value of `data` that is ciphertext is no base64. Only then an encrypted Secret is noticed.
    """
    if "sops" not in obj or text(obj, "apiVersion").rpartition("/")[0] not in BUILT_IN_GROUPS:
        return
    is_secret = (text(obj, "apiVersion"), text(obj, "kind")) == ("v1", "Secret")
    if not is_secret or all(_is_base64(value) for value in at(obj, "data").values()):
        del obj["sops"]
    elif _opts(obj, "decrypt") != "disabled":
        raise ApplyError(
            f"{refer_to(obj)} is SOPS encrypted, configuring decryption is required for this "
            "secret to be reconciled"
        )


def _is_base64(value: Json) -> bool:
    try:
        base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except ValueError:
        return False
    return True


def _version(obj: Object) -> str:
    return text(obj, "metadata", "resourceVersion")
