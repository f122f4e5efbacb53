"""The definitions of Flux' custom resources: names, versions and columns as in Flux 2.9.

Their schemas are open, since the lab's controllers check what they use.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.standins.values import Json, JsonMap

__all__ = ["FLUX_KINDS", "FluxKind", "make_definition_spec"]

_PRINT_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("Age", "date", ".metadata.creationTimestamp"),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    ("Status", "string", '.status.conditions[?(@.type=="Ready")].message'),
)


@dataclass(frozen=True, slots=True)
class FluxKind:
    """One kind of custom resource; the first of `versions` is stored."""

    group: str
    kind: str
    plural: str
    versions: tuple[str, ...]
    component: str
    short: str = ""
    has_status: bool = True

    @property
    def definition(self) -> str:
        """The name of its CustomResourceDefinition."""
        return f"{self.plural}.{self.group}"


_SOURCE, _NOTIFICATION = "source.toolkit.fluxcd.io", "notification.toolkit.fluxcd.io"
_NOTIFIER = "notification-controller"
FLUX_KINDS = (
    FluxKind(_SOURCE, "Bucket", "buckets", ("v1",), "source-controller"),
    FluxKind(_SOURCE, "ExternalArtifact", "externalartifacts", ("v1",), "source-controller", "ea"),
    FluxKind(_SOURCE, "GitRepository", "gitrepositories", ("v1",), "source-controller", "gitrepo"),
    FluxKind(_SOURCE, "HelmChart", "helmcharts", ("v1",), "source-controller", "hc"),
    FluxKind(
        _SOURCE, "HelmRepository", "helmrepositories", ("v1",), "source-controller", "helmrepo"
    ),
    FluxKind(_SOURCE, "OCIRepository", "ocirepositories", ("v1",), "source-controller", "ocirepo"),
    FluxKind(
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        "kustomizations",
        ("v1",),
        "kustomize-controller",
        "ks",
    ),
    FluxKind(
        "helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", ("v2",), "helm-controller", "hr"
    ),
    FluxKind(_NOTIFICATION, "Alert", "alerts", ("v1beta3",), _NOTIFIER, has_status=False),
    FluxKind(
        _NOTIFICATION,
        "Provider",
        "providers",
        ("v1beta3",),
        "notification-controller",
        has_status=False,
    ),
    FluxKind(_NOTIFICATION, "Receiver", "receivers", ("v1",), _NOTIFIER),
)


def make_definition_spec(kind: FluxKind) -> JsonMap:
    """Make the `spec` of a kind's definition."""
    names: JsonMap = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
    }
    if kind.short:
        names["shortNames"] = [kind.short]
    open_object: JsonMap = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties: JsonMap = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": open_object,
    }
    if kind.has_status:
        properties["status"] = open_object | {"default": {"observedGeneration": -1}}
    columns: list[Json] = [
        {"name": name, "type": of, "jsonPath": path}
        for name, of, path in _PRINT_COLUMNS
        if kind.has_status or not path.startswith(".status")
    ]
    versions: list[Json] = [
        {
            "name": version,
            "served": True,
            "storage": version == kind.versions[0],
            "additionalPrinterColumns": columns,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
            "subresources": {"status": {}} if kind.has_status else {},
        }
        for version in kind.versions
    ]
    return {"group": kind.group, "names": names, "scope": "Namespaced", "versions": versions}
