"""Turn Flux objects into values: Kustomizations, HelmReleases, sources.

Fields: kustomize-controller `api/v1/kustomization_types.go`, helm-controller
`api/v2/helmrelease_types.go`, source-controller `api/v1`. Only groups are
looked at, never versions.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.model import (
    Component,
    JsonObject,
    Position,
    Release,
    Source,
    SourceKey,
    SubstituteSource,
    ValuesReference,
)
from inventory.objects import (
    get_flag,
    get_int,
    get_mapping,
    get_mappings,
    get_text,
    group_of,
    kind_of,
    name_of,
    namespace_of,
)
from inventory.tree import normalise

KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"
SOURCE_GROUP = "source.toolkit.fluxcd.io"
DEFAULT_NAMESPACE = "flux-system"
SOURCE_KINDS = frozenset(
    {"GitRepository", "HelmRepository", "OCIRepository", "Bucket", "HelmChart", "ExternalArtifact"}
)


def is_kustomization(value: JsonObject) -> bool:
    """Say whether an object is a Flux Kustomization."""
    return kind_of(value) == "Kustomization" and group_of(value) == KUSTOMIZE_GROUP


def is_release(value: JsonObject) -> bool:
    """Say whether an object is a HelmRelease."""
    return kind_of(value) == "HelmRelease" and group_of(value) == HELM_GROUP


def is_source(value: JsonObject) -> bool:
    """Say whether an object is a Flux source."""
    return group_of(value) == SOURCE_GROUP and kind_of(value) in SOURCE_KINDS


def source_key(reference: JsonObject, namespace: str) -> SourceKey:
    """Return what a `sourceRef` or `chartRef` names; its namespace defaults to the object's."""
    return SourceKey(
        kind=get_text(reference, "kind"),
        namespace=get_text(reference, "namespace") or namespace,
        name=get_text(reference, "name"),
    )


def dependencies(spec: JsonObject, namespace: str) -> tuple[tuple[str, str], ...]:
    """Return (namespace, name) of each `dependsOn`."""
    return tuple(
        (get_text(item, "namespace") or namespace, get_text(item, "name"))
        for item in get_mappings(spec, "dependsOn")
    )


def substitute_sources(spec: JsonObject, namespace: str) -> tuple[SubstituteSource, ...]:
    """Return `postBuild.substituteFrom`; Flux reads it from the Kustomization's own namespace."""
    return tuple(
        SubstituteSource(
            kind=get_text(item, "kind"),
            namespace=namespace,
            name=get_text(item, "name"),
            optional=get_flag(item, "optional"),
        )
        for item in get_mappings(spec, "postBuild", "substituteFrom")
    )


def inline_variables(spec: JsonObject) -> dict[str, str]:
    """Return `postBuild.substitute`."""
    values = get_mapping(spec, "postBuild", "substitute")
    return {name: get_text(values, name).replace("\n", "") for name in values}


def path_of(spec: JsonObject) -> str | None:
    """Return `spec.path` normalised; None when it leads outside the source."""
    return normalise(get_text(spec, "path"))


def read_component(value: JsonObject, position: Position, layer: str, parent: str) -> Component:
    """Return a Kustomization without its build: no objects, no releases."""
    spec = get_mapping(value, "spec")
    namespace = namespace_of(value) or DEFAULT_NAMESPACE
    return Component(
        name=name_of(value),
        namespace=namespace,
        path=path_of(spec) or get_text(spec, "path"),
        layer=layer,
        source=source_key(get_mapping(spec, "sourceRef"), namespace),
        depends_on=dependencies(spec, namespace),
        wait=get_flag(spec, "wait"),
        suspend=get_flag(spec, "suspend"),
        prune=get_flag(spec, "prune"),
        timeout=get_text(spec, "timeout"),
        interval=get_text(spec, "interval"),
        target_namespace=get_text(spec, "targetNamespace"),
        decryption=get_mapping(spec, "decryption"),
        substitute=inline_variables(spec),
        substitute_from=substitute_sources(spec, namespace),
        health_checks=get_mappings(spec, "healthChecks"),
        patches=get_mappings(spec, "patches"),
        parent=parent,
        raw=value,
        position=position,
    )


def read_source(value: JsonObject, position: Position, component: str) -> Source:
    """Return a Flux source."""
    spec = get_mapping(value, "spec")
    key = SourceKey(kind_of(value), namespace_of(value) or DEFAULT_NAMESPACE, name_of(value))
    return Source(
        key=key,
        url=get_text(spec, "url") or get_text(spec, "endpoint"),
        type=get_text(spec, "type"),
        ref=get_mapping(spec, "ref"),
        secret=get_text(spec, "secretRef", "name"),
        suspend=get_flag(spec, "suspend"),
        component=component,
        raw=value,
        position=position,
    )


def read_release(value: JsonObject, position: Position, component: str) -> Release:
    """Return a HelmRelease; chart and version of a `chartRef` come later, from its source."""
    spec = get_mapping(value, "spec")
    namespace = namespace_of(value)
    chart = get_mapping(spec, "chart", "spec")
    reference = get_mapping(spec, "chartRef")
    install, upgrade = get_mapping(spec, "install"), get_mapping(spec, "upgrade")
    return Release(
        name=name_of(value),
        namespace=namespace,
        chart=get_text(chart, "chart"),
        version=get_text(chart, "version"),
        source=source_key(reference or get_mapping(chart, "sourceRef"), namespace),
        is_chart_ref=bool(reference),
        values=get_mapping(spec, "values"),
        values_from=tuple(_values_reference(item) for item in get_mappings(spec, "valuesFrom")),
        target_namespace=get_text(spec, "targetNamespace"),
        release_name=release_name(value),
        timeout=get_text(spec, "timeout"),
        interval=get_text(spec, "interval"),
        install_crds=get_text(install, "crds"),
        upgrade_crds=get_text(upgrade, "crds"),
        create_namespace=get_flag(install, "createNamespace"),
        retries=get_int(install, "remediation", "retries"),
        suspend=get_flag(spec, "suspend"),
        depends_on=dependencies(spec, namespace),
        component=component,
        raw=value,
        position=position,
    )


def release_name(value: JsonObject) -> str:
    """Return Helm's name of a release: `releaseName`, else `[<targetNamespace>-]<name>`."""
    spec = get_mapping(value, "spec")
    target = get_text(spec, "targetNamespace")
    default = f"{target}-{name_of(value)}" if target else name_of(value)
    return get_text(spec, "releaseName") or default


def chart_of(source: Source) -> tuple[str, str]:
    """Return chart name and version that an OCIRepository or HelmChart stands for."""
    if source.kind == "HelmChart":
        spec = get_mapping(source.raw, "spec")
        return get_text(spec, "chart"), get_text(spec, "version")
    ref: Mapping[str, object] = source.ref
    version = next((str(ref[key]) for key in ("tag", "semver", "digest") if ref.get(key)), "")
    return source.url.rstrip("/").rpartition("/")[2], version


def _values_reference(item: JsonObject) -> ValuesReference:
    return ValuesReference(
        kind=get_text(item, "kind"),
        name=get_text(item, "name"),
        values_key=get_text(item, "valuesKey", default="values.yaml"),
        target_path=get_text(item, "targetPath"),
        optional=get_flag(item, "optional"),
    )
