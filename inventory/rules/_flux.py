"""Findings about Flux objects, CRDs and variables."""

from __future__ import annotations

from inventory.rules._rule import ERROR, INFO, WARNING, rule

FLUX = (
    rule(
        "no-entry",
        ERROR,
        "No Flux Kustomization reaches the cluster's folder, so Flux would apply nothing.",
        "add clusters/<name>/kubernetes/flux-entry.yaml",
    ),
    rule(
        "entry-named-twice",
        ERROR,
        "Two entries have the same namespace and name but different paths. In the cluster they are"
        " one object: whichever is applied last takes the other's place, and with prune Flux"
        " removes everything that the other applied.",
        "give one of them another name, such as flux-entry-repos",
    ),
    rule(
        "entry-build-failed",
        ERROR,
        "The build of an entry fails, so nothing of the cluster can be applied.",
        "repair the error findings in the entry's files first",
    ),
    rule(
        "entry-not-in-tree",
        INFO,
        "No kustomization lists this entry: something outside the tree applies it, and edits to it"
        " never arrive by themselves.",
        "apply it by hand after each edit, or list it in a kustomization",
    ),
    rule(
        "missing-source",
        ERROR,
        "A HelmRelease or Kustomization names a source that nothing live declares; it never"
        " becomes Ready.",
        "declare the source, or correct its kind, name and namespace",
    ),
    rule(
        "unused-source",
        INFO,
        "A live source is fetched all the time although nothing live uses it.",
        "remove it",
    ),
    rule(
        "source-url-refused",
        ERROR,
        "The URL of a source has a scheme that its kind does not take (a Git URL in the form"
        " git@host:path is none for Flux), or a HelmRepository of a registry lacks `type: oci`. It"
        " is refused, or never ready, and nothing that comes from it is installed.",
        "write ssh://git@host/path for Git; add type: oci to the HelmRepository of a registry",
    ),
    rule(
        "source-defined-twice",
        INFO,
        "Two files declare the same source, only one of them is live.",
        "remove the other file",
    ),
    rule(
        "missing-values-source",
        WARNING,
        "valuesFrom names a ConfigMap or Secret that nothing live declares. Unless a controller"
        " makes it, the release is never installed.",
        "declare it, or mark it optional",
    ),
    rule(
        "generated-name-missed",
        ERROR,
        "Something names a generated ConfigMap or Secret without the hash that kustomize puts"
        " behind its name. Kustomize follows references of Kubernetes' own kinds in the same build"
        " only, not those of a HelmRelease and not those of another Kustomization. Pods do not"
        " start, a release is never installed.",
        "set generatorOptions.disableNameSuffixHash: true, or name the field in a file of"
        " configurations (nameReference)",
    ),
    rule(
        "missing-issuer",
        WARNING,
        "Something asks for a certificate of a ClusterIssuer that nothing live makes. The"
        " certificate is never issued.",
        "correct the name",
    ),
    rule(
        "missing-dependency",
        ERROR,
        "dependsOn names a Kustomization or HelmRelease that is not live, so it waits for ever.",
        "correct the name and namespace, or remove the dependency",
    ),
    rule(
        "dependency-cycle",
        ERROR,
        "Components wait for each other over dependsOn alone, so Flux never applies any of them,"
        " nor what waits for them.",
        "remove one of the dependencies",
    ),
    rule(
        "cold-start-cycle",
        ERROR,
        "Components wait for each other over dependsOn together with CRDs or namespaces. A running"
        " cluster does not show it; on an empty one none of them becomes ready, and what waits for"
        " them neither.",
        "this tool applies CRDs and namespaces first; for Flux alone, move the objects that close"
        " the circle into a component of their own",
    ),
    rule(
        "namespace-not-declared",
        ERROR,
        "Objects live in a namespace that no live manifest creates. install.createNamespace does"
        " not help: the HelmRelease object itself needs the namespace first.",
        "add a Namespace manifest beside the objects",
    ),
    rule(
        "no-namespace",
        ERROR,
        "An object that needs a namespace has none, and neither its kustomization nor the"
        " Kustomization's targetNamespace sets one. Flux refuses the whole Kustomization:"
        " namespace not specified.",
        "set metadata.namespace, or namespace in the kustomization.yaml",
    ),
    rule(
        "layer-not-listed",
        ERROR,
        "A directory beside the layers holds Kustomizations, but no kustomization lists it, so none"
        " of them is deployed.",
        "list the directory in the entry's kustomization.yaml, or remove it",
    ),
    rule(
        "dead-object",
        INFO,
        "A Flux object lies on disk but nothing live leads to it.",
        "list it, or remove the file",
    ),
    rule(
        "suspended",
        INFO,
        "spec.suspend is true: Flux leaves the object alone, and a rebuild does not bring it back.",
        "resume it when it is wanted",
    ),
    rule(
        "name-differs-from-directory",
        INFO,
        "A Kustomization has another name than its directory; dependsOn uses the name.",
        "nothing to do; use the name in commands",
    ),
    rule(
        "removed-api-version",
        WARNING,
        "The object uses an API version that current Flux or Kubernetes releases no longer serve.",
        "change apiVersion to the current one",
    ),
    rule(
        "unpinned-version",
        WARNING,
        "The chart's version is a range or missing, so a rebuild may install another version.",
        "pin an exact version",
    ),
)

CRDS = (
    rule(
        "crd-beside-release",
        ERROR,
        "Custom resources lie in one Kustomization with the release that brings their CRD. Flux"
        " dry-runs all of a Kustomization before it applies any of it, so on an empty cluster the"
        " release is never applied.",
        "this tool applies the CRDs first; for Flux alone, move the custom resources into a"
        " Kustomization of their own that depends on this one",
    ),
    rule(
        "crd-in-entry",
        ERROR,
        "The entry itself applies custom resources whose CRD a component brings. One missing CRD"
        " keeps Flux from applying the whole entry on an empty cluster.",
        "move the custom resources into a Kustomization of their own",
    ),
    rule(
        "crd-order-not-declared",
        WARNING,
        "A component holds custom resources of another component's CRDs without dependsOn; on an"
        " empty cluster it fails until the other happens to be there.",
        "add dependsOn to the Kustomization",
    ),
    rule(
        "provider-not-live",
        ERROR,
        "A live component holds custom resources, but what brings their CRD is not live.",
        "deploy the provider, or remove the custom resources",
    ),
)

NEEDS = (
    rule(
        "release-order-not-declared",
        WARNING,
        "A release's chart or values ask for custom resources that another release brings, without"
        " dependsOn. The first installation fails until the other is there, and gives up after its"
        " retries.",
        "add dependsOn to the Kustomization",
    ),
    rule(
        "release-without-provider",
        ERROR,
        "A release's chart or values ask for custom resources that nothing live brings, so it"
        " cannot be installed on an empty cluster.",
        "deploy what brings them, or switch the feature off in the values",
    ),
    rule(
        "volsync-ignored",
        WARNING,
        "VolSync is configured where TrueCharts' common library does not look: only"
        " persistence.<name>.volsync counts. No backup is made, and nothing says so.",
        "move it to persistence.<name>.volsync",
    ),
    rule(
        "chart-does-not-render",
        ERROR,
        "Helm refuses the chart with the release's values, so the release is never installed.",
        "correct the values for this version of the chart",
    ),
    rule(
        "chart-unreachable",
        ERROR,
        "The chart cannot be had from its source at this moment, in this version (--online).",
        "correct the source or the version; keep a copy for a rebuild",
    ),
    rule(
        "remote-unreachable",
        ERROR,
        "A Git remote that a source names does not answer, or lacks the branch (--online).",
        "correct the URL or the branch, or give this machine access",
    ),
    rule(
        "image-missing",
        ERROR,
        "The registry says that it has no such image, so it cannot be pulled on a new machine"
        " (--online).",
        "correct the name, the tag or the digest",
    ),
    rule(
        "dead-registry",
        ERROR,
        "An image comes from a registry that no longer exists, so it cannot be pulled on a new"
        " machine.",
        "take the image from its current registry",
    ),
)

VARIABLES = (
    rule(
        "undefined-variable",
        ERROR,
        "A ${NAME} is in none of the Kustomization's substitution sources. Flux 2.9 and later"
        " refuse to build the whole Kustomization; earlier ones, and those with"
        " StrictPostBuildSubstitutions=false, put an empty string there without a word, and the"
        " finding is a warning.",
        "define it in a substitution source, give it a default, or write $${NAME} for a literal",
    ),
    rule(
        "foreign-variable",
        ERROR,
        "A script, dashboard or other program in a manifest has ${NAME} of its own. Flux takes it"
        " for one of the cluster's variables: 2.9 and later refuse to build the whole"
        " Kustomization. Earlier ones, and those with StrictPostBuildSubstitutions=false, put an"
        " empty string there before the program ever sees it, and the finding is a warning.",
        "write $${NAME}, or set the annotation kustomize.toolkit.fluxcd.io/substitute: disabled",
    ),
    rule(
        "malformed-substitution",
        ERROR,
        "A ${...} is not in Flux' substitution grammar, which fails the whole Kustomization.",
        "write $${ for a literal, or set the annotation"
        " kustomize.toolkit.fluxcd.io/substitute: disabled",
    ),
    rule(
        "missing-substitution-source",
        ERROR,
        "substituteFrom names a ConfigMap or Secret that nothing live declares; the Kustomization"
        " never becomes Ready.",
        "declare it, or mark it optional",
    ),
    rule(
        "settings-drift",
        INFO,
        "clusterenv.yaml and the substitution sources made from it have different names.",
        "generate the cluster settings again",
    ),
)
