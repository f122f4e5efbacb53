"""Which fields Flux's kinds and objects' metadata have: the CRDs of Flux 2.9.

helm-controller 1.6, kustomize-controller 1.9, source-controller 1.9 (`config/crd/bases`). Fields of
free form, such as `values`, are not gone into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from inventory.flux import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP

Fields: TypeAlias = Mapping[str, frozenset[str]]


def _fields(**texts: str) -> Fields:
    """Return the fields under each path; `__` parts its keys, lists are passed through."""
    return {path.replace("__", "."): frozenset(text.split()) for path, text in texts.items()}


KNOWN_UNTIL: Final = (2, 9)  # a later Flux may have more
METADATA: Final = frozenset(
    (
        *("name", "generateName", "namespace", "labels", "annotations", "finalizers"),
        *("ownerReferences", "uid", "resourceVersion", "generation", "selfLink", "managedFields"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    )
)
TOP: Final = frozenset(("apiVersion", "kind", "metadata", "spec", "status", "sops"))
CORE: Final[Mapping[str, frozenset[str]]] = {
    "ConfigMap": frozenset(("data", "binaryData", "immutable")) | TOP - {"spec", "status"},
    "Secret": frozenset(("data", "stringData", "type", "immutable")) | TOP - {"spec", "status"},
    "Namespace": TOP,
    "Service": TOP,
    "PersistentVolumeClaim": TOP,
    "Pod": TOP,
}
# Of these groups every kind has spec and status only, see also MORE_TOP.
PLAIN_GROUPS: Final = frozenset(
    (
        *("cert-manager.io", "cilium.io", "external-secrets.io", "gateway.networking.k8s.io"),
        *("grafana.integreatly.org", "longhorn.io", "metallb.io", "monitoring.coreos.com"),
        *("postgresql.cnpg.io", "traefik.io", "tuppr.home-operations.com", "upgrade.cattle.io"),
        "volsync.backube",
    )
)
# But for these, by group and kind: Longhorn 1.12's CRDs, Cilium's list of rules.
MORE_TOP: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("longhorn.io", "Setting"): TOP | {"value"},
    ("cilium.io", "CiliumNetworkPolicy"): TOP | {"specs"},
    ("cilium.io", "CiliumClusterwideNetworkPolicy"): TOP | {"specs"},
}
_REFERENCE: Final = "apiVersion kind name namespace"
_ACTION: Final = "disableHooks disableWait disableWaitForJobs serverSideApply timeout"
_VALIDATION: Final = "disableOpenAPIValidation disableSchemaValidation disableTakeOwnership"
_SOURCE: Final = "interval provider secretRef suspend timeout"
FLUX: Final[Mapping[tuple[str, str], Fields]] = {
    (f"{HELM_GROUP}/v2", "HelmRelease"): _fields(
        spec="chart chartRef commonMetadata dependsOn driftDetection healthCheckExprs install"
        " interval kubeConfig maxHistory persistentClient postRenderStrategy postRenderers"
        " releaseName rollback serviceAccountName storageNamespace suspend targetNamespace test"
        " timeout uninstall upgrade values valuesFrom waitStrategy",
        spec__chart="metadata spec",
        spec__chart__spec="chart ignoreMissingValuesFiles interval reconcileStrategy sourceRef"
        " valuesFiles verify version",
        spec__chart__spec__sourceRef=_REFERENCE,
        spec__chartRef=_REFERENCE,
        spec__commonMetadata="annotations labels",
        spec__dependsOn="name namespace readyExpr",
        spec__driftDetection="ignore mode",
        spec__install="crds createNamespace remediation replace skipCRDs strategy"
        f" {_VALIDATION} {_ACTION}",
        spec__install__remediation="ignoreTestFailures remediateLastFailure retries",
        spec__upgrade="chartNameChangeStrategy cleanupOnFail crds force preserveValues remediation"
        f" strategy {_VALIDATION} {_ACTION}",
        spec__upgrade__remediation="ignoreTestFailures remediateLastFailure retries strategy",
        spec__rollback=f"cleanupOnFail force recreate {_ACTION}",
        spec__uninstall="deletionPropagation disableHooks disableWait keepHistory timeout",
        spec__test="enable filters ignoreFailures timeout",
        spec__valuesFrom="kind literal name optional targetPath valuesKey",
        spec__waitStrategy="name",
    ),
    (f"{KUSTOMIZE_GROUP}/v1", "Kustomization"): _fields(
        spec="buildMetadata commonMetadata components decryption deletionPolicy dependsOn force"
        " healthCheckExprs healthChecks ignore ignoreMissingComponents images interval kubeConfig"
        " namePrefix nameSuffix patches path postBuild prune retryInterval serviceAccountName"
        " sourceRef suspend targetNamespace timeout wait",
        spec__commonMetadata="annotations labels",
        spec__decryption="provider secretRef serviceAccountName",
        spec__dependsOn="name namespace readyExpr",
        spec__healthChecks=_REFERENCE,
        spec__healthCheckExprs="apiVersion current failed inProgress kind",
        spec__images="digest name newName newTag",
        spec__patches="patch target",
        spec__postBuild="substitute substituteFrom substituteStrategy",
        spec__postBuild__substituteFrom="kind name optional",
        spec__sourceRef=_REFERENCE,
    ),
    (f"{SOURCE_GROUP}/v1", "GitRepository"): _fields(
        spec="ignore include proxySecretRef recurseSubmodules ref serviceAccountName sparseCheckout"
        f" url verify {_SOURCE}",
        spec__ref="branch commit name semver tag",
    ),
    (f"{SOURCE_GROUP}/v1", "HelmRepository"): _fields(
        spec=f"accessFrom certSecretRef insecure passCredentials type url {_SOURCE}",
    ),
    (f"{SOURCE_GROUP}/v1", "OCIRepository"): _fields(
        spec="certSecretRef ignore insecure layerSelector proxySecretRef ref serviceAccountName"
        f" url verify {_SOURCE}",
        spec__ref="digest semver semverFilter tag",
        spec__layerSelector="mediaType operation",
    ),
    (f"{SOURCE_GROUP}/v1", "Bucket"): _fields(
        spec="bucketName certSecretRef endpoint ignore insecure prefix proxySecretRef region"
        f" serviceAccountName sts {_SOURCE}",
    ),
}
