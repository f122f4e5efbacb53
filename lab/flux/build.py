"""What kustomize-controller builds: kustomize, then decryption, then substitution, an object."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from inventory.substitution import SubstitutionError, is_valid_name, substitute_object
from lab.flux.manifests import parse_manifests
from lab.flux.objects import Context
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    maps,
    name_of,
    namespace_of,
    text,
    texts,
)
from lab.tools import LabTools, ToolFailedError

__all__ = ["BuildError", "Builder"]

# Fields of the spec that kustomize-controller writes into the kustomization.yaml it builds.
_OVERLAID = {
    "targetNamespace": "namespace",
    "namePrefix": "namePrefix",
    "nameSuffix": "nameSuffix",
    "patches": "patches",
    "images": "images",
}
_CONTROLLER = ("apps/v1", "Deployment", "kustomize-controller", "flux-system")
_STRICT_FLAG = re.compile(r"StrictPostBuildSubstitutions=(true|false)")
_IMAGE_VERSION = re.compile(r":v(\d+)\.(\d+)\.")
_STRICT_SINCE = (1, 9)  # of kustomize-controller; Flux 2.9
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class BuildError(Exception):
    """The build failed; the text is what the Kustomization's status says."""


class Builder:
    """Builds Kustomizations; the output of kubectl and sops is kept by content."""

    def __init__(self, context: Context, tools: LabTools, into: Path) -> None:
        self._context = context
        self._tools = tools
        self._into = into
        self._built: dict[str, list[Object]] = {}
        self._decrypted: dict[str, str] = {}

    async def build(self, kustomization: Object, artifact: Path) -> list[Object]:
        """Build what a Kustomization applies from an artifact folder.

        Raises:
            BuildError: kustomize, sops or the substitution refused.
        """
        key = await self._find_age_key(kustomization)
        objects = await self._run_kustomize(kustomization, artifact)
        for obj in objects:
            if not (text(obj, "apiVersion") and text(obj, "kind") and name_of(obj)):
                raise BuildError(
                    f"failed to decode Kubernetes apiVersion, kind and name from: {obj}"
                )
        if dig(kustomization, "spec", "decryption") is not None:
            objects = [await self._decrypt(obj, key) for obj in objects]
        if dig(kustomization, "spec", "postBuild") is not None:
            variables = await self._load_variables(kustomization)
            is_strict = await self._is_strict()
            always = text(kustomization, "spec", "postBuild", "substituteStrategy") == "Always"
            objects = [
                _substitute(obj, variables, strict=is_strict, always=always) for obj in objects
            ]
        return objects

    async def _is_strict(self) -> bool:
        """Tell whether undefined variables fail a build: since 1.9, if no flag says otherwise."""
        controller = await self._context.client.find(*_CONTROLLER) or {}
        for container in maps(controller, "spec", "template", "spec", "containers"):
            for argument in texts(container, "args"):
                flag = _STRICT_FLAG.search(argument)
                if flag:
                    return flag[1] == "true"
            version = _IMAGE_VERSION.search(text(container, "image"))
            if version:
                return (int(version[1]), int(version[2])) >= _STRICT_SINCE
        return True

    async def _find_age_key(self, kustomization: Object) -> str:
        name = text(kustomization, "spec", "decryption", "secretRef", "name")
        if not name:
            return ""
        namespace = namespace_of(kustomization)
        secret = await self._context.client.find("v1", "Secret", name, namespace)
        if secret is None:
            raise BuildError(f'secrets "{name}" not found')
        keys = {
            file: base64.b64decode(value).decode(errors="replace")
            for file, value in sorted(at(secret, "data").items())
            if file.endswith(".agekey") and isinstance(value, str)
        }
        for file, key in keys.items():
            if not _is_age_key(key):
                raise BuildError(
                    f"failed to import '{file}' data from sops decryption Secret "
                    f"'{namespace}/{name}': failed to parse and add to age identities: "
                    "unknown identity type"
                )
        return "\n".join(keys.values())

    async def _run_kustomize(self, kustomization: Object, artifact: Path) -> list[Object]:
        path = (text(kustomization, "spec", "path") or "./").removeprefix("./")
        folder = artifact / path
        overlay = _make_overlay(kustomization)
        key = hashlib.sha256(f"{folder} {json.dumps(overlay)}".encode()).hexdigest()
        if key not in self._built:
            built = await self._build_overlay(folder, overlay, name_of(kustomization))
            self._built[key] = await asyncio.to_thread(parse_manifests, built)
        objects = [clone_map(obj) for obj in self._built[key]]
        # A kustomization that lists its own file comes out of the build; Flux passes over it
        # (fluxcd/pkg ssa/utils, IsKustomization).
        own = "kustomize.config.k8s.io/"
        return [obj for obj in objects if not text(obj, "apiVersion").startswith(own)]

    async def _build_overlay(self, folder: Path, overlay: Object, name: str) -> str:
        has_own = any((folder / name).is_file() for name in _KUSTOMIZATIONS)
        if has_own and not overlay:
            return await self._kustomize(folder, name)
        place = self._into / uuid.uuid4().hex[:16]
        _write_overlay(place, [folder] if has_own else _list_manifests(folder), overlay)
        try:
            return await self._kustomize(place, name)
        finally:
            shutil.rmtree(place)

    async def _kustomize(self, folder: Path, name: str) -> str:
        try:
            return await self._tools.call(
                *("kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone"),
                str(folder),
                what=f"build {name}",
            )
        except ToolFailedError as failed:
            reason = failed.stderr.removeprefix("error: ")
            raise BuildError(f"kustomize build failed: {reason}") from failed

    async def _decrypt(self, obj: Object, key: str) -> Object:
        if "sops" not in obj:
            return obj
        written = json.dumps(obj)
        digest = hashlib.sha256(f"{written} {key}".encode()).hexdigest()
        if digest not in self._decrypted:
            try:
                # The MAC covers the file as it was written, and kustomize wrote another.
                self._decrypted[digest] = await self._tools.call(
                    *("sops", "decrypt", "--input-type", "json", "--output-type", "json"),
                    *("--ignore-mac", "--filename-override", "object.json"),
                    env={"SOPS_AGE_KEY": key},
                    stdin=written,
                    what=f"decrypt {name_of(obj)}",
                )
            except ToolFailedError as failed:
                kind, where = text(obj, "kind"), f"{namespace_of(obj)}/{name_of(obj)}"
                raise BuildError(
                    f"decryption failed for '{_identify(obj)}': failed to decrypt and format "
                    f"'{where}' {kind} data: {_say_as_library(failed.stderr)}"
                ) from failed
        decrypted: Json = json.loads(self._decrypted[digest])
        return decrypted if isinstance(decrypted, dict) else obj

    async def _load_variables(self, kustomization: Object) -> Mapping[str, str]:
        variables: dict[str, str] = {}
        for reference in maps(kustomization, "spec", "postBuild", "substituteFrom"):
            kind, name = text(reference, "kind"), text(reference, "name")
            found = await self._context.client.find("v1", kind, name, namespace_of(kustomization))
            if found is None:
                if reference.get("optional") is True:
                    continue
                resource = "configmaps" if kind == "ConfigMap" else "secrets"
                raise BuildError(
                    f"post build failed: substitute from '{kind}/{name}' error: "
                    f'{resource} "{name}" not found'
                )
            for variable, value in at(found, "data").items():
                shown = str(value)
                if kind == "Secret":
                    shown = base64.b64decode(shown).decode(errors="replace")
                variables[variable] = shown.replace("\n", "")
        for variable, value in at(kustomization, "spec", "postBuild", "substitute").items():
            variables[variable] = str(value).replace("\n", "")
        return variables


_KUSTOMIZE: Mapping[str, Json] = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
}


def _write_overlay(place: Path, resources: Sequence[Path], overlay: Object) -> None:
    """Write a kustomization beside the artifact, which other builds read at the same time."""
    place.mkdir(parents=True)
    listed: list[Json] = [os.path.relpath(resource, place) for resource in resources]
    document = {**_KUSTOMIZE, **overlay, "resources": listed}
    (place / "kustomization.yaml").write_text(yaml.safe_dump(document))


def _make_overlay(kustomization: Object) -> Object:
    spec = at(kustomization, "spec")
    return {field: spec[ours] for ours, field in _OVERLAID.items() if spec.get(ours)}


def _list_manifests(folder: Path) -> list[Path]:
    """List what Flux takes where no kustomization.yaml is: all YAML, nested ones as a whole."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            nested = any((path / name).is_file() for name in _KUSTOMIZATIONS)
            found.extend([path] if nested else _list_manifests(path))
        elif path.suffix in {".yaml", ".yml"}:
            found.append(path)
    return found


def _identify(obj: Object) -> str:
    """Name an object as Kustomize's resource ids do."""
    group, _, version = text(obj, "apiVersion").rpartition("/")
    return f"{text(obj, 'kind')}.{version}.{group or '[noGrp]'}/{name_of(obj)}"


def _is_age_key(written: str) -> bool:
    lines = (line.strip() for line in written.splitlines())
    return all(line.startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-", "#")) for line in lines if line)


def _say_as_library(printed: str) -> str:
    """Put what `sops` prints into the words of its library, which kustomize-controller uses."""
    said = printed.strip().replace("Error decrypting tree:", "error decrypting sops tree:")
    if said.startswith("Failed to get the data key"):
        return f"cannot get sops data key: {said}"
    return said


def _substitute(obj: Object, variables: Mapping[str, str], *, strict: bool, always: bool) -> Object:
    failed = f"post build failed for '{_identify(obj)}': envsubst error"
    for name in variables:
        if not is_valid_name(name):
            raise BuildError(
                f"{failed}: '{name}' var name is invalid, must match "
                "'^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            )
    try:
        substituted = substitute_object(obj, variables, strict=strict, always=always)
    except SubstitutionError as wrong:
        raise BuildError(f"{failed}: variable substitution failed: {wrong}") from wrong
    thawed: Json = json.loads(json.dumps(substituted))  # inventory's values are read-only
    return thawed if isinstance(thawed, dict) else obj
