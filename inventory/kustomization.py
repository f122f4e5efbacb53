"""Build a kustomization directory the way Flux does, from files only.

Covers what decides which objects come out and under which identity: resources, components,
generators, patches, namespaces, affixes, labels, replacements, replicas and images. Plug-ins are
left alone. Flux sets no load restriction inside the repository and makes a
kustomization where a directory has none: fluxcd/pkg `kustomize/kustomize_generator.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from inventory import transformers
from inventory.builds import (
    MAX_DEPTH,
    Build,
    Here,
    find_kustomization,
    find_lack,
    flatten,
    is_remote,
    judge_file,
    make_missing,
    read_kustomization,
    scan_manifests,
)
from inventory.documents import Document
from inventory.generators import generate, has_hash
from inventory.model import Json, JsonObject, Position, Severity
from inventory.objects import (
    get_list,
    get_mapping,
    get_mappings,
    get_strings,
    get_text,
    group_of,
    name_of,
)
from inventory.overrides import is_taken, merge_generated, override
from inventory.patches import PatchError, read_patches
from inventory.references import NameSpec, read_name_specs, settle_names
from inventory.resources import Identity, Resource
from inventory.rules import make_finding
from inventory.tree import YAML_SUFFIXES, Tree, join, normalise

KUSTOMIZE_GROUP = "kustomize.config.k8s.io"
# Objects and directories that the builds of one cluster may touch, patched ones once a patch. A
# real repository of 110 Kustomizations needs 2,000; lists that double at each level need 2^depth.
MAX_WORK = 200_000
_COMPONENT_WORK = 5  # many Kustomizations share one
_REPEATED_WORK = 100  # a directory that a build of the cluster has read before
_EMPTY: JsonObject = {}
_Keys: TypeAlias = tuple[str | int, ...]


class Builder:
    """Builds directories of one tree; findings go to the tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._has_failed = False
        self._name_specs: list[NameSpec] = []
        self._work = 0
        self._read: set[str] = set()

    def build(self, path: str, spec: JsonObject = _EMPTY) -> Build:
        """Build the directory `path` with the fields of a Flux Kustomization's `spec` added."""
        self._has_failed = False
        self._name_specs.clear()
        document = self.find_file(path)
        here = Here(path, document or Document(path, 0, None, 1, 1, ""))
        resources = self._generate(here) if document is None else self._accumulate(here, [])
        resources = settle_names(self._apply_spec(resources, spec, here), self._name_specs)
        return Build(tuple(resources), self._has_failed, document is not None)

    def find_file(self, path: str) -> Document | None:
        """Return the kustomization document of a directory; None when it has none."""
        file = find_kustomization(self._tree, path)
        if file is None:
            return None
        self._has_failed = self._has_failed or self._tree.has_failed(file)
        return read_kustomization(self._tree, file)

    def _accumulate(self, here: Here, before: list[Resource], wanted: str = "") -> list[Resource]:
        for finding in judge_file(self._tree, here, wanted):
            self._has_failed = self._has_failed or finding.severity is Severity.ERROR
            self._tree.report(finding)
        value = here.document.value if isinstance(here.document.value, Mapping) else _EMPTY
        resources = list(before)
        known = {resource.identity for resource in resources}
        for key in ("resources", "bases"):
            for index, item in enumerate(get_list(value, key)):
                self._merge(resources, self._load(item, here, (key, index)), known)
        for index, item in enumerate(get_list(value, "components")):
            resources = self._component(item, here, ("components", index), resources)
        self._generate_objects(resources, value, here)
        for name in get_strings(value, "configurations"):
            target = normalise(join(here.path, name))
            for document in self._tree.documents(target) if target else ():
                self._name_specs.extend(read_name_specs(document.value))
        return self._transform(resources, value, here)

    def _apply_spec(
        self, resources: list[Resource], spec: JsonObject, here: Here
    ) -> list[Resource]:
        for item in get_list(spec, "components"):
            resources = self._component(item, here, (), resources)
        renamed: dict[str, Json] = {
            "patches": get_list(spec, "patches"),
            "namespace": spec.get("targetNamespace"),
            "namePrefix": spec.get("namePrefix"),
            "nameSuffix": spec.get("nameSuffix"),
            "commonLabels": get_mapping(spec, "commonMetadata", "labels"),
            "commonAnnotations": get_mapping(spec, "commonMetadata", "annotations"),
            "images": get_list(spec, "images"),
        }
        return self._transform(resources, renamed, here)

    def _merge(
        self, resources: list[Resource], added: list[Resource], known: set[Identity]
    ) -> None:
        for resource in added:
            identity = resource.identity
            if identity in known:
                _, kind, _, name = identity
                message = f"object is defined twice in one build: `{kind}/{name}`"
                self._error("duplicate-id", message, resource.position)
                continue
            known.add(identity)
            resources.append(resource)

    def _load(self, item: Json, here: Here, keys: _Keys) -> list[Resource]:
        target = normalise(join(here.path, item)) if isinstance(item, str) else None
        if not isinstance(item, str) or (target and self._tree.is_file(target)):
            return self._file(target, here) if target else []
        if target and self._tree.is_directory(target):
            return self._directory(target, here, keys)
        if is_remote(item):
            message = f"resource lies outside the repository: `{item}`"
            place = here.document.locate(*keys)
            self._tree.report(make_finding("remote-resource", message, place))
            return []
        self._missing(item, here, keys, target)
        return []

    def _missing(self, item: str, here: Here, keys: _Keys, target: str | None) -> None:
        self._has_failed = True
        self._tree.report(make_missing(self._tree, here, item, keys, target))

    def _directory(self, target: str, here: Here, keys: _Keys) -> list[Resource]:
        inner = self.find_file(target)
        is_repeated = target in self._read
        self._read.add(target)
        if self._is_spent(here, keys, _REPEATED_WORK if is_repeated else 1):
            return []
        real = self._tree.resolve(target)  # a symbolic link may lead back, under another name
        if real in (*here.stack, here.path) or len(here.stack) > MAX_DEPTH:
            message = f"kustomization contains itself: `{target}`"
            self._error("kustomization-cycle", message, here.document.locate(*keys))
            return []
        if inner is None:
            message = f"directory has no kustomization.yaml: `{target}`"
            self._error("missing-kustomization-file", message, here.document.locate(*keys))
            return []
        return self._accumulate(here.below(real, inner, target), [], "Kustomization")

    def _is_spent(self, here: Here, keys: _Keys, work: int) -> bool:
        """Count work; say whether the builds of this cluster have taken more than they may."""
        was_spent = self._work > MAX_WORK
        self._work += work
        if self._work > MAX_WORK and not was_spent:
            message = f"builds of this cluster take more than {MAX_WORK} objects and patches"
            self._error("build-too-large", message, here.document.locate(*keys))
        self._has_failed = self._has_failed or self._work > MAX_WORK
        return self._work > MAX_WORK

    def _component(
        self, item: Json, here: Here, keys: _Keys, resources: list[Resource]
    ) -> list[Resource]:
        if not isinstance(item, str):
            return resources
        target = normalise(join(here.path, item))
        inner = self.find_file(target) if target is not None else None
        if target is not None and self._is_spent(here, keys, _COMPONENT_WORK):
            return resources
        if target is None or inner is None or target in (*here.stack, here.path):
            if not is_remote(item):
                self._missing(item, here, keys, target)
            return resources
        below = replace(here.below(target, inner), from_component=True)
        return self._accumulate(below, resources, "Component")

    def _file(self, path: str, here: Here) -> list[Resource]:
        documents = self._tree.documents(path)
        self._has_failed = self._has_failed or self._tree.has_failed(path)
        if self._is_spent(here, (), len(documents)):
            return []
        for place, key in (found for document in documents for found in document.other_keys):
            self._error("key-not-text", f"key is not text, so the build fails: `{key}`", place)
        return [
            here.resource(value, document, path)
            for document in documents
            for value in flatten(document.value)
            if self._is_object(value, document)
        ]

    def _is_object(self, value: JsonObject, document: Document) -> bool:
        if group_of(value) == KUSTOMIZE_GROUP and name_of(value):
            return False  # a kustomization that lists itself; Flux skips such objects
        missing = find_lack(value)
        if missing:
            self._error("not-an-object", f"document has no `{missing}`", document.position)
        return not missing

    def _generate(self, here: Here) -> list[Resource]:
        """Gather what Flux would list where a directory has no kustomization file."""
        resources: list[Resource] = []
        known: set[Identity] = set()
        for child in scan_manifests(self._tree, here.path):
            inner = None if child.endswith(YAML_SUFFIXES) else self.find_file(child)
            if inner is not None:
                self._merge(resources, self._accumulate(here.below(child, inner), []), known)
            else:
                self._merge(resources, self._file(child, here), known)
        return resources

    def _generate_objects(self, resources: list[Resource], value: JsonObject, here: Here) -> None:
        options = get_mapping(value, "generatorOptions")
        before = list(resources)
        for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for index, item in enumerate(get_mappings(value, key)):
                made = generate(kind, item, partial(self._read_generated, here, key), options)
                place = partial(here.document.locate, key, index)
                name = name_of(made)
                if get_text(item, "behavior") in ("merge", "replace"):
                    if not merge_generated(resources, kind, item, made):
                        text = f"{kind} to add to is not in the build: `{name}`"
                        self._error("unmatched-target", text, place())
                    continue
                if is_taken(before, kind, item):
                    message = f"object is defined and generated in one build: `{kind}/{name}`"
                    self._error("duplicate-id", message, place())
                if is_taken(resources, kind, item):
                    continue
                added = here.resource(made, here.document, here.path)
                resources.append(replace(added, needs_hash=has_hash(item, options)))

    def _read_generated(self, here: Here, key: str, name: str) -> str | None:
        target = normalise(join(here.path, name))
        if target is None or not self._tree.is_file(target):
            self._missing(name, here, (key,), target)
            return None
        return self._tree.text(target)

    def _transform(
        self, resources: list[Resource], value: JsonObject, here: Here
    ) -> list[Resource]:
        for keys, item in transformers.patches_in(value):
            if self._is_spent(here, keys, 1 + len(resources) // 4):
                return resources
            resources = self._patch(resources, item, here, keys)
        resources, unmatched = override(transformers.transform(resources, value), value)
        for rule, message, keys in () if self._has_failed else unmatched:
            place = here.document.locate(*keys)
            if rule != "unmatched-image":
                self._error(rule, message, place)
            elif not here.from_component:  # which is for many builds
                self._tree.report(make_finding(rule, message, place))
        return resources

    def _patch(
        self, resources: list[Resource], item: JsonObject, here: Here, keys: _Keys
    ) -> list[Resource]:
        text, name = get_text(item, "patch"), get_text(item, "path")
        if not text and name:
            target = normalise(join(here.path, name))
            if target is None or not self._tree.is_file(target):
                self._missing(name, here, keys, target)
                return resources
            text = self._tree.text(target) or ""
        try:
            for patch in read_patches(text, get_mapping(item, "target")):
                resources = transformers.apply_patch(resources, patch)
        except PatchError as error:
            self._error("patch-failed", str(error), here.document.locate(*keys))
        return resources

    def _error(self, name: str, message: str, position: Position) -> None:
        self._has_failed = True
        self._tree.report(make_finding(name, message, position))
