"""What Helm does to a cluster: CRDs, ownership, creation in order, hooks, waiting, removal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lab.flux.health import Health
from lab.flux.manifests import order_for_install, parse_manifests
from lab.flux.objects import Context
from lab.flux.readiness import NotReadyError, Readiness, Reference, refer_to
from lab.flux.rendering import CrdText, Rendered
from lab.kubernetes.errors import ApiError, NotFoundError
from lab.kubernetes.values import Json, Object, at, clone_map, grow, namespace_of, text

__all__ = ["HelmActions", "HelmError", "Target"]

_NAME = "meta.helm.sh/release-name"
_NAMESPACE = "meta.helm.sh/release-namespace"
_MANAGED = "app.kubernetes.io/managed-by"
_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
# Helm waits a minute for the definitions of a chart's crds/ folder.
_CRDS_TIMEOUT_S = 60.0


class HelmError(Exception):
    """A Helm action failed; `stored` says whether a release record was written before."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which release, and the settings of the action that is going on."""

    name: str
    namespace: str
    timeout_s: float
    crds: str = "Create"
    waits: bool = True
    hooks: bool = True
    takes_ownership: bool = True
    owner: tuple[str, str] = ("", "")  # namespace and name of the HelmRelease
    health: Health | None = None  # the expressions of the HelmRelease


class HelmActions:
    """The parts of install, upgrade and uninstall."""

    def __init__(self, context: Context, readiness: Readiness) -> None:
        self._context = context
        self._readiness = readiness

    async def apply_crds(self, target: Target, crds: Sequence[CrdText]) -> bool:
        """Apply the definitions of a chart's crds/ folder as the policy says; says whether any.

        Raises:
            HelmError: one was refused, or is not Established in time.
        """
        wanted = [] if target.crds == "Skip" else [*crds]
        if target.crds == "Create":
            known = {
                text(crd, "metadata", "name") for crd in await self._context.client.peek(*_CRD)
            }
            wanted = [crd for crd in wanted if crd.name not in known]
        for crd in await asyncio.to_thread(_read_crds, wanted):
            self._mark_origin(target, crd)
            try:
                await self._apply(crd)
            except ApiError as refused:
                message = f"failed to apply CustomResourceDefinitions: {refused.message}"
                raise HelmError(message) from refused
        await self._wait([Reference(*_CRD, "", crd.name) for crd in wanted], _CRDS_TIMEOUT_S)
        return bool(wanted)

    async def check(self, target: Target, rendered: Rendered, *, upgrade: bool) -> None:
        """Refuse what Helm refuses before it writes anything.

        Raises:
            HelmError: a kind is not served, or an object belongs to somebody else.
        """
        for obj in rendered.objects:
            shown = refer_to(obj)
            if not await self._context.client.serves(shown.api_version, shown.kind):
                raise HelmError(
                    "unable to build kubernetes objects from "
                    + ("current release manifest" if upgrade else "release manifest")
                    + f': resource mapping not found for name: "{shown.name}" namespace: '
                    f'"{shown.namespace}" from "": no matches for kind "{shown.kind}" in '
                    f'version "{shown.api_version}"\nensure CRDs are installed first'
                )
        if target.takes_ownership:
            return
        for obj in rendered.objects:
            found = await self._find(self._place(target, obj))
            problems = _find_ownership_problems(found, target) if found is not None else []
            if problems:
                continued = "update" if upgrade else "install"
                raise HelmError(
                    f"unable to continue with {continued}: {_describe(obj, target)} exists and "
                    "cannot be imported into the current release: invalid ownership metadata; "
                    + "; ".join(problems)
                )

    async def create(
        self, target: Target, objects: Sequence[Object], known: Sequence[Object] | None = None
    ) -> list[Reference]:
        """Apply the objects of a release in Helm's order; of an upgrade, `known` were there.

        Raises:
            HelmError: one was refused; those before it stay.
        """
        there = None if known is None else {refer_to(self._place(target, obj)) for obj in known}
        references = []
        for obj in order_for_install([*objects]):
            placed = self._place(target, obj)
            grow(placed, "metadata", "labels")[_MANAGED] = "Helm"
            annotations = grow(placed, "metadata", "annotations")
            annotations.update({_NAME: target.name, _NAMESPACE: target.namespace})
            self._mark_origin(target, placed)
            try:
                stored = await self._apply(placed)
            except ApiError as refused:
                raise HelmError(_explain_refusal(placed, refused, there)) from refused
            asked = refer_to(placed)
            references.append(
                Reference(asked.api_version, asked.kind, namespace_of(stored), asked.name)
            )
        return references

    async def wait(self, target: Target, references: Sequence[Reference]) -> None:
        """Wait until the objects of the release are ready.

        Raises:
            HelmError: they are not, within the timeout.
        """
        if target.waits:
            await self._wait(references, target.timeout_s, target.health)

    async def run_hooks(self, target: Target, hooks: Sequence[Object], when: str) -> None:
        """Run the hooks of one moment (`post-install`), by weight, each to its end.

        Those that are to go when they succeeded go once all have, last first (Helm,
        `pkg/action/hooks.go`): the account of a Job is a hook, too, and runs with it.

        Raises:
            HelmError: a hook failed or took too long.
        """
        if not target.hooks:
            return
        chosen = [hook for hook in hooks if when in _words(hook, "helm.sh/hook")]
        done: list[Reference] = []
        for hook in sorted(chosen, key=_weigh):
            placed = self._place(target, hook)
            policies = _words(hook, "helm.sh/hook-delete-policy") or ["before-hook-creation"]
            if "before-hook-creation" in policies:
                await self._delete(refer_to(placed))
            try:
                await self._apply(placed)
            except ApiError as refused:
                raise HelmError(f"failed {when}: {refused.message}") from refused
            if text(hook, "kind") in {"Job", "Pod"}:
                try:
                    await self._wait([refer_to(placed)], target.timeout_s)
                except HelmError as late:
                    raise HelmError(f"failed {when}: {late}") from late
            if "hook-succeeded" in policies:
                done.append(refer_to(placed))
        for reference in reversed(done):
            await self._delete(reference)

    async def remove(self, manifest: str, target: Target, keep: Sequence[Reference] = ()) -> None:
        """Delete what a manifest made, last created first; kept: `keep`, and who asks for it."""
        kept = {(item.kind, item.namespace, item.name) for item in keep}
        for obj in reversed(order_for_install(parse_manifests(manifest))):
            annotations = at(obj, "metadata", "annotations")
            if annotations.get("helm.sh/resource-policy") == "keep":
                continue
            if "helm.sh/hook" in annotations:
                continue
            reference = refer_to(self._place(target, obj))
            # Cluster-scoped objects are kept without the namespace that was put on them here.
            spellings = {
                (reference.kind, space, reference.name) for space in (reference.namespace, "")
            }
            if not spellings & kept:
                await self._delete(reference)

    def _place(self, target: Target, obj: Object) -> Object:
        """Copy an object, with the release's namespace if it names none (not for cluster scope)."""
        placed = clone_map(obj)
        if not namespace_of(obj):
            grow(placed, "metadata")["namespace"] = target.namespace
        return placed

    def _mark_origin(self, target: Target, obj: Object) -> None:
        labels = grow(obj, "metadata", "labels")
        labels["helm.toolkit.fluxcd.io/namespace"], labels["helm.toolkit.fluxcd.io/name"] = (
            target.owner
        )

    async def _find(self, obj: Object) -> Object | None:
        reference = refer_to(obj)
        return await self._context.client.find(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )

    async def _apply(self, obj: Object) -> Object:
        return await self._context.client.apply(obj, manager=self._context.manager, force=True)

    async def _delete(self, reference: Reference) -> None:
        try:
            await self._context.client.delete(
                reference.api_version, reference.kind, reference.name, reference.namespace
            )
        except NotFoundError:
            return

    async def _wait(
        self, references: Sequence[Reference], timeout_s: float, health: Health | None = None
    ) -> None:
        try:
            await self._readiness.wait(references, timeout_s, health=health)
        except NotReadyError as late:
            raise HelmError(str(late)) from late


def _read_crds(crds: Sequence[CrdText]) -> list[Object]:
    return [obj for crd in crds for obj in parse_manifests(crd.text)]


def _explain_refusal(obj: Object, refused: ApiError, known: AbstractSet[Reference] | None) -> str:
    """Say it as Helm does, with the object's kind as Go writes it."""
    group, _, version = text(obj, "apiVersion").rpartition("/")
    where = f"{namespace_of(obj)}/{text(obj, 'metadata', 'name')}"
    said = (
        f"server-side apply failed for object {where} {group}/{version}, "
        f"Kind={text(obj, 'kind')}: {refused.message}"
    )
    is_new = known is not None and refer_to(obj) not in known
    return f"failed to create resource: {said}" if is_new else said


def _find_ownership_problems(found: Object, target: Target) -> list[str]:
    labels = at(found, "metadata", "labels")
    annotations = at(found, "metadata", "annotations")
    checks = (
        ("label", labels, _MANAGED, "Helm"),
        ("annotation", annotations, _NAME, target.name),
        ("annotation", annotations, _NAMESPACE, target.namespace),
    )
    problems = []
    for what, held, key, wanted in checks:
        problem = _compare(held, key, wanted)
        if problem:
            problems.append(f"{what} validation error: {problem}")
    return problems


def _compare(held: Mapping[str, Json], key: str, wanted: str) -> str:
    if key not in held:
        return f'missing key "{key}": must be set to "{wanted}"'
    if held[key] != wanted:
        return f'key "{key}" must equal "{wanted}": current value is "{held[key]}"'
    return ""


def _describe(obj: Object, target: Target) -> str:
    name = text(obj, "metadata", "name")
    namespace = namespace_of(obj) or target.namespace
    return f'{text(obj, "kind")} "{name}" in namespace "{namespace}"'


def _words(obj: Object, annotation: str) -> list[str]:
    listed = text(obj, "metadata", "annotations", annotation)
    return [word.strip() for word in listed.split(",") if word.strip()]


def _weigh(hook: Object) -> tuple[int, str]:
    weight = text(hook, "metadata", "annotations", "helm.sh/hook-weight")
    return (int(weight) if weight.lstrip("-").isdigit() else 0, text(hook, "metadata", "name"))
