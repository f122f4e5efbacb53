"""Every kind of finding: its id, severity, what it means and how it is repaired.

The reference page of findings is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inventory.model import Finding, Position, Severity

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding.

    Attributes:
        explanation: One paragraph: what is wrong and what it leads to.
        repair: What to do; also the default hint.
        blocks: Whether a bootstrap must not start while such a finding exists.
    """

    id: str
    severity: Severity
    explanation: str
    repair: str
    blocks: bool = False


def _rule(name: str, severity: Severity, explanation: str, repair: str) -> Rule:
    return Rule(name, severity, explanation, repair)


def _blocking(name: str, explanation: str, repair: str) -> Rule:
    return Rule(name, _ERROR, explanation, repair, blocks=True)


_FILES = (
    _rule(
        "invalid-yaml",
        _ERROR,
        "The file is not the YAML that Kubernetes' tools read, so the build that lists it fails.",
        "correct the file at this position",
    ),
    _rule(
        "duplicate-key",
        _ERROR,
        "A mapping has the same key twice. Kustomize and Flux refuse the file.",
        "keep one of the two keys",
    ),
    _rule(
        "not-text",
        _ERROR,
        "The file has the name of a YAML file but is not UTF-8 or UTF-16 text.",
        "save it as UTF-8, or give it another suffix",
    ),
    _rule(
        "file-unreadable",
        _ERROR,
        "The file exists but cannot be read: no permission, or not a regular file.",
        "make it a readable regular file",
    ),
    _rule(
        "file-too-large",
        _ERROR,
        "The file is larger than any Kubernetes object may be and is not read.",
        "split it, or keep it outside the GitOps folders",
    ),
    _rule(
        "path-escapes",
        _ERROR,
        "A path or symbolic link leads outside the repository. Flux never follows it.",
        "move the target into the repository",
    ),
)

_BUILDS = (
    _rule(
        "missing-resource",
        _ERROR,
        "A kustomization lists something that does not exist, so its whole build fails.",
        "correct the path or remove the line",
    ),
    _rule(
        "missing-kustomization-file",
        _ERROR,
        "A kustomization lists a directory that has no kustomization.yaml. Flux makes one only for"
        " the path of a Flux Kustomization itself.",
        "add a kustomization.yaml to that directory",
    ),
    _rule(
        "kustomization-cycle",
        _ERROR,
        "A kustomization contains itself through its resources, so its build never ends.",
        "remove one of the references",
    ),
    _rule(
        "not-an-object",
        _ERROR,
        "A listed file holds a document without kind or metadata.name, so the build fails.",
        "remove the file from the kustomization, or complete it",
    ),
    _rule(
        "duplicate-id",
        _ERROR,
        "One build holds two objects of the same kind, namespace and name. Kustomize refuses it.",
        "keep one of the two definitions",
    ),
    _rule(
        "patch-failed",
        _ERROR,
        "A patch cannot be read, fits no object, or names a path that does not exist.",
        "correct the patch or its target",
    ),
    _rule(
        "remote-resource",
        _INFO,
        "A kustomization fetches a resource from another server, which a rebuild then needs too.",
        "keep a copy in Git",
    ),
    _rule(
        "missing-path",
        _ERROR,
        "The path of a Flux Kustomization does not exist, so it never becomes Ready.",
        "correct spec.path, or remove the Kustomization",
    ),
    _rule(
        "no-kustomization-file",
        _WARNING,
        "The path of a Flux Kustomization has no kustomization.yaml. Flux makes one of all"
        " manifests below it, so a stray file gets applied.",
        "add a kustomization.yaml that lists what is wanted",
    ),
    _rule(
        "empty-live-file",
        _INFO,
        "A kustomization lists a file that holds no object, for example only comments.",
        "remove the line, or the file",
    ),
    _rule(
        "lists-itself",
        _INFO,
        "A kustomization.yaml lists itself as a resource. Flux skips the object that comes of it,"
        " other tools do not.",
        "remove the line",
    ),
    _rule(
        "object-owned-twice",
        _WARNING,
        "Two Kustomizations apply the same object. They overwrite each other, and removing one of"
        " them deletes the object of the other.",
        "keep the object in one of them",
    ),
)

_FLUX = (
    _blocking(
        "no-entry",
        "No Flux Kustomization reaches the cluster's folder, so Flux would apply nothing.",
        "add clusters/<name>/kubernetes/flux-entry.yaml",
    ),
    _blocking(
        "entry-build-failed",
        "The build of an entry fails, so nothing of the cluster can be applied.",
        "repair the error findings in the entry's files first",
    ),
    _rule(
        "entry-not-in-tree",
        _INFO,
        "No kustomization lists this entry: something outside the tree applies it, and edits to it"
        " never arrive by themselves.",
        "apply it by hand after each edit, or list it in a kustomization",
    ),
    _rule(
        "missing-source",
        _ERROR,
        "A HelmRelease or Kustomization names a source that nothing live declares; it never"
        " becomes Ready.",
        "declare the source, or correct its kind, name and namespace",
    ),
    _rule(
        "unused-source",
        _INFO,
        "A live source is fetched all the time although nothing live uses it.",
        "remove it",
    ),
    _rule(
        "source-defined-twice",
        _INFO,
        "Two files declare the same source, only one of them is live.",
        "remove the other file",
    ),
    _rule(
        "missing-dependency",
        _ERROR,
        "dependsOn names a Kustomization or HelmRelease that is not live, so it waits for ever.",
        "correct the name and namespace, or remove the dependency",
    ),
    _rule(
        "dependency-cycle",
        _ERROR,
        "Components wait for each other over dependsOn alone, so Flux never applies any of them,"
        " nor what waits for them.",
        "remove one of the dependencies",
    ),
    _rule(
        "cold-start-cycle",
        _ERROR,
        "Components wait for each other over dependsOn together with CRDs or namespaces. A running"
        " cluster does not show it; on an empty one none of them becomes ready, and what waits for"
        " them neither.",
        "this tool applies CRDs and namespaces first; for Flux alone, move the objects that close"
        " the circle into a component of their own",
    ),
    _rule(
        "namespace-not-declared",
        _ERROR,
        "Objects live in a namespace that no live manifest creates. install.createNamespace does"
        " not help: the HelmRelease object itself needs the namespace first.",
        "add a Namespace manifest beside the objects",
    ),
    _rule(
        "layer-not-listed",
        _ERROR,
        "A directory beside the layers holds Kustomizations, but no kustomization lists it, so none"
        " of them is deployed.",
        "list the directory in the entry's kustomization.yaml, or remove it",
    ),
    _rule(
        "dead-object",
        _INFO,
        "A Flux object lies on disk but nothing live leads to it.",
        "list it, or remove the file",
    ),
    _rule(
        "suspended",
        _INFO,
        "spec.suspend is true: Flux leaves the object alone, and a rebuild does not bring it back.",
        "resume it when it is wanted",
    ),
    _rule(
        "name-differs-from-directory",
        _INFO,
        "A Kustomization has another name than its directory; dependsOn uses the name.",
        "nothing to do; use the name in commands",
    ),
    _rule(
        "removed-api-version",
        _WARNING,
        "The object uses an API version that current Flux or Kubernetes releases no longer serve.",
        "change apiVersion to the current one",
    ),
    _rule(
        "unpinned-version",
        _WARNING,
        "The chart's version is a range or missing, so a rebuild may install another version.",
        "pin an exact version",
    ),
)

_CRDS = (
    _rule(
        "crd-beside-release",
        _ERROR,
        "Custom resources lie in one Kustomization with the release that brings their CRD. Flux"
        " dry-runs all of a Kustomization before it applies any of it, so on an empty cluster the"
        " release is never applied.",
        "this tool applies the CRDs first; for Flux alone, move the custom resources into a"
        " Kustomization of their own that depends on this one",
    ),
    _rule(
        "crd-in-entry",
        _ERROR,
        "The entry itself applies custom resources whose CRD a component brings. One missing CRD"
        " keeps Flux from applying the whole entry on an empty cluster.",
        "move the custom resources into a Kustomization of their own",
    ),
    _rule(
        "crd-order-not-declared",
        _WARNING,
        "A component holds custom resources of another component's CRDs without dependsOn; on an"
        " empty cluster it fails until the other happens to be there.",
        "add dependsOn to the Kustomization",
    ),
    _rule(
        "provider-not-live",
        _ERROR,
        "A live component holds custom resources, but what brings their CRD is not live.",
        "deploy the provider, or remove the custom resources",
    ),
)

_VARIABLES = (
    _rule(
        "undefined-variable",
        _ERROR,
        "A ${NAME} is in none of the Kustomization's substitution sources. Flux puts an empty"
        " string there without a word.",
        "define it in a substitution source, give it a default, or write $${NAME} for a literal",
    ),
    _rule(
        "malformed-substitution",
        _ERROR,
        "A ${...} is not in Flux' substitution grammar, which fails the whole Kustomization.",
        "write $${ for a literal, or set the annotation"
        " kustomize.toolkit.fluxcd.io/substitute: disabled",
    ),
    _rule(
        "missing-substitution-source",
        _ERROR,
        "substituteFrom names a ConfigMap or Secret that nothing live declares; the Kustomization"
        " never becomes Ready.",
        "declare it, or mark it optional",
    ),
    _rule(
        "settings-drift",
        _INFO,
        "clusterenv.yaml and the substitution sources made from it have different names.",
        "generate the cluster settings again",
    ),
)

_TALOS = (
    _blocking(
        "no-nodes",
        "talconfig.yaml declares no control plane.",
        "declare the machines under nodes",
    ),
    _blocking(
        "undefined-talos-variable",
        "talconfig.yaml uses a name that neither clusterenv.yaml defines nor ClusterTool derives.",
        "define it in clusterenv.yaml",
    ),
    _blocking(
        "duplicate-node",
        "Two nodes have the same host name or address.",
        "give each machine its own",
    ),
    _blocking(
        "vip-is-node",
        "The shared address of the control planes is also a node's own address.",
        "choose a free address for the VIP",
    ),
    _blocking(
        "vip-in-pool",
        "The control planes' shared address lies in METALLB_RANGE, so a service may get it.",
        "choose a VIP outside the range, or shrink the range",
    ),
    _blocking(
        "node-in-pool",
        "A node's address or the gateway lies inside METALLB_RANGE, so a service may get it.",
        "shrink the range",
    ),
    _blocking(
        "networks-overlap",
        "Pod network, service network and node addresses overlap, so packets go astray.",
        "choose networks that do not overlap",
    ),
    _rule(
        "even-control-planes",
        _WARNING,
        "An even number of control planes tolerates no more failures than one fewer.",
        "use one, three or five control planes",
    ),
    _rule(
        "disk-by-size-only",
        _WARNING,
        "The install disk is chosen by its size alone. When a disk is added or fails, another one"
        " may match, and Talos then overwrites it.",
        "select the disk by serial, wwid, model or busPath",
    ),
    _rule(
        "generated-patches",
        _INFO,
        "talconfig.yaml names patches that Git does not hold: ClusterTool generates them, and a"
        " plain talhelper run on a fresh clone fails.",
        "generate them with ClusterTool, or keep them in Git",
    ),
)

_SECRETS = (
    _rule(
        "plaintext-secret",
        _ERROR,
        ".sops.yaml says that this file must be encrypted, but it is plain text.",
        "encrypt it with sops before it is committed; treat its values as known",
    ),
    _rule(
        "sops-key-in-tree",
        _WARNING,
        "The repository holds the Secret with its own age key, encrypted with that key. A first"
        " install needs the key from outside all the same.",
        "keep the age key outside Git, in two places",
    ),
)

_UPGRADES = (
    _rule(
        "two-upgraders",
        _ERROR,
        "system-upgrade-controller plans and tuppr upgrade objects are live together; they upgrade"
        " the same nodes behind each other's back.",
        "keep one of the two",
    ),
    _rule(
        "version-drift",
        _WARNING,
        "The repository states different versions of the same thing in different places.",
        "make them the same; an upgrade controller goes to the version it is told",
    ),
    _rule(
        "image-skew",
        _INFO,
        "A kubectl image is more than one minor version away from the cluster's Kubernetes.",
        "use an image of the cluster's minor version",
    ),
)

RULES: Final[dict[str, Rule]] = {
    rule.id: rule
    for rule in (
        *_FILES,
        *_BUILDS,
        *_FLUX,
        *_CRDS,
        *_VARIABLES,
        *_TALOS,
        *_SECRETS,
        *_UPGRADES,
    )
}


def make_finding(name: str, message: str, position: Position, hint: str = "") -> Finding:
    """Return a finding of a declared rule.

    Raises:
        KeyError: There is no such rule.
    """
    rule = RULES[name]
    return Finding(name, rule.severity, message, position, hint or rule.repair)


def blocks_bootstrap(finding: Finding) -> bool:
    """Say whether a bootstrap must not start with this finding."""
    return finding.id in RULES and RULES[finding.id].blocks
