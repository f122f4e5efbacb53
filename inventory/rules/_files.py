"""Findings about files and kustomize builds."""

from __future__ import annotations

from inventory.rules._rule import ERROR, INFO, WARNING, rule

FILES = (
    rule(
        "invalid-yaml",
        ERROR,
        "The file is not the YAML that Kubernetes' tools read, so the build that lists it fails.",
        "correct the file at this position",
    ),
    rule(
        "duplicate-key",
        ERROR,
        "A mapping has the same key twice. Kustomize and Flux refuse a manifest like that, and the"
        " build that lists it fails. In a kustomization.yaml itself they take the last one without"
        " a word, so this is only a warning there: what stands under the first key is not applied.",
        "keep one of the two keys",
    ),
    rule(
        "not-text",
        ERROR,
        "The file has the name of a YAML file but is not UTF-8 or UTF-16 text.",
        "save it as UTF-8, or give it another suffix",
    ),
    rule(
        "file-unreadable",
        ERROR,
        "The file exists but cannot be read: no permission, or not a regular file.",
        "make it a readable regular file",
    ),
    rule(
        "file-too-large",
        ERROR,
        "The file is larger than any Kubernetes object may be and is not read.",
        "split it, or keep it outside the GitOps folders",
    ),
    rule(
        "nested-too-deep",
        ERROR,
        "Directories lie in each other more deeply than any tool expects; what is below is not"
        " read.",
        "move the files up, or remove the directories",
    ),
    rule(
        "path-escapes",
        ERROR,
        "A path or symbolic link leads outside the repository. Flux never follows it.",
        "move the target into the repository",
    ),
)

BUILDS = (
    rule(
        "missing-resource",
        ERROR,
        "A kustomization lists something that does not exist, so its whole build fails.",
        "correct the path or remove the line",
    ),
    rule(
        "not-in-artifact",
        ERROR,
        "Something live is in Git, but not in the artifact that Flux builds from: a pattern of a"
        " .sourceignore file or of the GitRepository's spec.ignore leaves it out, the last one that"
        " fits, or it is a symbolic link. To Flux it does not exist.",
        "include it again with a later pattern (`!/path`), or put a file where the link is",
    ),
    rule(
        "invalid-kustomization",
        ERROR,
        "A kustomization.yaml is not of the form that kustomize reads: a field of another type, one"
        " that does not exist, a kind in the wrong list. The build stops before it begins.",
        "correct the field",
    ),
    rule(
        "ignored-field",
        WARNING,
        "The kustomization.yaml at the path of a Flux Kustomization has a field that does not"
        " exist. Flux drops it in silence, so what it lists is not applied; other tools refuse the"
        " file.",
        "correct the spelling, or remove the field",
    ),
    rule(
        "empty-kustomization",
        ERROR,
        "A kustomization lists a directory whose kustomization.yaml lists nothing. Kustomize"
        " refuses that; only at the path of a Flux Kustomization itself an empty file may be.",
        "remove the directory from the list, or list something in it",
    ),
    rule(
        "missing-kustomization-file",
        ERROR,
        "A kustomization lists a directory that has no kustomization.yaml. Flux makes one only for"
        " the path of a Flux Kustomization itself.",
        "add a kustomization.yaml to that directory",
    ),
    rule(
        "kustomization-cycle",
        ERROR,
        "A kustomization contains itself through its resources, so its build never ends.",
        "remove one of the references",
    ),
    rule(
        "build-too-large",
        ERROR,
        "The builds of the cluster hold more objects than one cluster can take, mostly because"
        " directories are listed many times over. Reading stops there, and Flux would not get"
        " through either.",
        "list each directory once",
    ),
    rule(
        "not-an-object",
        ERROR,
        "A listed file holds a document without kind or metadata.name, so the build fails.",
        "remove the file from the kustomization, or complete it",
    ),
    rule(
        "half-renamed-file",
        ERROR,
        "ClusterTool's flux bootstrap renames kustomization.yaml to placeholder and"
        " bootstrap.yaml.ct to kustomization.yaml, and back when it is done. It was interrupted in"
        " between and the result was committed: Flux builds the wrong file, or none.",
        "give the files their names back: `placeholder`, or Git's history, has the true"
        " kustomization.yaml",
    ),
    rule(
        "duplicate-id",
        ERROR,
        "One build holds two objects of the same kind, namespace and name. Kustomize refuses it.",
        "keep one of the two definitions",
    ),
    rule(
        "unmatched-target",
        ERROR,
        "replicas, or a generator with behavior merge or replace, names an object that the build"
        " does not hold. Kustomize refuses the whole build.",
        "correct the name, or remove the item",
    ),
    rule(
        "unmatched-image",
        WARNING,
        "An item of images fits no container of the build. Kustomize passes over it in silence, so"
        " the version or registry that it asks for is not used.",
        "correct the name: it is the image as written, with its registry and without its tag",
    ),
    rule(
        "patch-failed",
        ERROR,
        "A patch cannot be read, fits no object, or names a path that does not exist.",
        "correct the patch or its target",
    ),
    rule(
        "remote-resource",
        INFO,
        "A kustomization fetches a resource from another server, which a rebuild then needs too.",
        "keep a copy in Git",
    ),
    rule(
        "missing-path",
        ERROR,
        "The path of a Flux Kustomization does not exist, so it never becomes Ready.",
        "correct spec.path, or remove the Kustomization",
    ),
    rule(
        "no-kustomization-file",
        WARNING,
        "The path of a Flux Kustomization has no kustomization.yaml. Flux makes one of all"
        " manifests below it, so a stray file gets applied.",
        "add a kustomization.yaml that lists what is wanted",
    ),
    rule(
        "empty-live-file",
        INFO,
        "A kustomization lists a file that holds no object, for example only comments.",
        "remove the line, or the file",
    ),
    rule(
        "lists-itself",
        INFO,
        "A kustomization.yaml lists itself as a resource. Flux skips the object that comes of it,"
        " other tools do not.",
        "remove the line",
    ),
    rule(
        "object-owned-twice",
        WARNING,
        "Two Kustomizations apply the same object. They overwrite each other, and removing one of"
        " them deletes the object of the other.",
        "keep the object in one of them",
    ),
)
