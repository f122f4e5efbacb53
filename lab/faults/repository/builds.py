"""Faults of files and builds: what Kustomize and Flux refuse, or pass over in silence."""

from __future__ import annotations

import re

from lab.faults.repository.tree import DoesNotApplyError, Tree, find_list
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.kubernetes.values import Object, grow

__all__ = ["BUILD_FAULTS"]

_FLUX = "https://fluxcd.io/flux/components/kustomize/kustomizations/"
_KUSTOMIZE = "https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/"


def _settings(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {},
    }


def _list_absent_file(tree: Tree) -> None:
    tree.list_resource(tree.pick_component().path, "helm-realese.yaml")


def _commit_conflict(tree: Tree) -> None:
    path = find_list(tree.root, tree.pick_component().path)
    content = tree.read(path)
    tree.write(path, f"<<<<<<< HEAD\n{content}=======\n{content}>>>>>>> theirs\n")


def _repeat_key(tree: Tree) -> None:
    path = find_list(tree.root, tree.pick_component().path)
    tree.write(path, f"{tree.read(path).rstrip()}\nresources: []\n")


def _misshape(tree: Tree) -> None:
    path = find_list(tree.root, tree.pick_component().path)
    tree.change(path, lambda document: document.update(patches=["patch.yaml"]))


def _patch_nothing(tree: Tree) -> None:
    removing = '- op: remove\n  path: "/spec/there/is/no/such/path"\n'
    patch: Object = {"patch": removing, "target": {"kind": "ConfigMap", "name": "lab-patched"}}

    def add(document: Object) -> None:
        patches = document.get("patches")
        document["patches"] = [*(patches if isinstance(patches, list) else ()), patch]

    component = tree.pick_component()
    tree.add_object(component, "lab-patched", _settings("lab-patched"))
    tree.change(find_list(tree.root, component.path), add)


def _repeat_object(tree: Tree) -> None:
    component = tree.pick_component()
    tree.add_object(component, "lab-once", _settings("lab-once"))
    tree.add_object(component, "lab-twice", _settings("lab-once"))


def _own_twice(tree: Tree) -> None:
    for component in tree.pick_two():
        shared: Object = {"apiVersion": "v1", "kind": "Namespace"}
        tree.add_object(component, "lab-shared", {**shared, "metadata": {"name": "lab-shared"}})


def _list_folder_without_list(tree: Tree) -> None:
    component = tree.pick_component()
    tree.write(f"{component.path}/lab-unlisted/README.md", "Nothing to build here.\n")
    tree.list_resource(component.path, "lab-unlisted")


def _list_each_other(tree: Tree) -> None:
    component = tree.pick_component()
    tree.write(f"{component.path}/lab-loop/kustomization.yaml", "resources:\n  - ../../lab-loop\n")
    folder = component.path.rpartition("/")[0]
    back = f"resources:\n  - ../{component.path.rpartition('/')[2]}/lab-loop\n"
    tree.write(f"{folder}/lab-loop/kustomization.yaml", back)
    tree.list_resource(component.path, "lab-loop")


def _leave_object_out(tree: Tree) -> None:
    component = tree.pick_component()
    broken = "replicas: 3\nimage: ghcr.io/example/half-a-file:1.0.0\n"
    tree.write(f"{component.path}/lab-half.yaml", broken)
    tree.list_resource(component.path, "lab-half.yaml")


def _misspell_path(tree: Tree) -> None:
    component = tree.pick_component()

    def misspell(document: Object) -> None:
        grow(document, "spec")["path"] = f"./{component.path}x"

    tree.change_component(component, misspell)


def _misspell_variable(tree: Tree) -> None:
    _use_in_object(tree, "${LAB_DOMIAN}")


def _use_shell_variable(tree: Tree) -> None:
    _use_in_object(tree, "echo ${HOME/x}")


def _use_in_object(tree: Tree, value: str) -> None:
    for component in tree.list_components():
        if component.substitute_from or component.substitute:
            added = _settings("lab-variables")
            added["data"] = {"value": value}
            tree.add_object(component, "lab-variables", added)
            return
    raise DoesNotApplyError("no component substitutes variables")


def _misspell_source_of_variables(tree: Tree) -> None:
    """Misspell it where it is written: in the component, or in what its entry patches in."""
    for component in tree.list_components():
        for source in component.substitute_from:
            for path in (component.position.path, *(one.file for one in tree.inventory.entries)):
                content = tree.read(path)
                broken = re.sub(rf"\bname: {re.escape(source.name)}\b", _misspell, content)
                if broken != content and not source.optional:
                    tree.write(path, broken)
                    return
    raise DoesNotApplyError("no component takes variables from a ConfigMap or Secret")


def _misspell(found: re.Match[str]) -> str:
    return f"{found[0]}-mistyped"


BUILD_FAULTS = (
    RepositoryFault(
        "resource-absent",
        "A kustomization lists a file whose name is mistyped.",
        f"{_KUSTOMIZE}resource/",
        _list_absent_file,
        answered_by("missing-resource"),
    ),
    RepositoryFault(
        "merge-conflict",
        "A merge is committed with its conflict markers.",
        "https://github.com/PrivatePuffin/cluster",
        _commit_conflict,
        answered_by("invalid-yaml"),
    ),
    RepositoryFault(
        "key-twice",
        "A kustomization has `resources` twice.",
        "https://yaml.org/spec/1.2.2/#mapping",
        _repeat_key,
        answered_by("duplicate-key"),
    ),
    RepositoryFault(
        "kustomization-misshapen",
        "A kustomization has a patch that is a text instead of a mapping.",
        f"{_KUSTOMIZE}patches/",
        _misshape,
        answered_by("invalid-kustomization"),
    ),
    RepositoryFault(
        "patch-without-place",
        "A patch removes what the object that it names does not have.",
        f"{_KUSTOMIZE}patches/",
        _patch_nothing,
        answered_by("patch-failed"),
    ),
    RepositoryFault(
        "object-twice",
        "Two files of one build define the same object.",
        f"{_KUSTOMIZE}resource/",
        _repeat_object,
        answered_by("duplicate-id"),
    ),
    RepositoryFault(
        "namespace-owned-twice",
        "Two Kustomizations apply the same namespace and fight over it.",
        f"{_FLUX}#prune",
        _own_twice,
        answered_by("object-owned-twice"),
    ),
    RepositoryFault(
        "folder-without-kustomization",
        "A kustomization lists a folder that has no kustomization.yaml.",
        f"{_FLUX}#generate-kustomizationyaml",
        _list_folder_without_list,
        answered_by("missing-kustomization-file"),
    ),
    RepositoryFault(
        "kustomization-loop",
        "Two kustomizations list each other.",
        f"{_KUSTOMIZE}resource/",
        _list_each_other,
        answered_by("kustomization-cycle"),
    ),
    RepositoryFault(
        "half-an-object",
        "A listed file has lost its kind and name.",
        f"{_KUSTOMIZE}resource/",
        _leave_object_out,
        answered_by("not-an-object"),
    ),
    RepositoryFault(
        "path-mistyped",
        "A Flux Kustomization's path does not exist.",
        f"{_FLUX}#path",
        _misspell_path,
        answered_by("missing-path"),
    ),
    RepositoryFault(
        "variable-undefined",
        "A manifest uses a variable that nobody defines; Flux 2.9 refuses to build that.",
        f"{_FLUX}#post-build-variable-substitution",
        _misspell_variable,
        answered_by("undefined-variable"),
    ),
    RepositoryFault(
        "variable-malformed",
        "A shell expression in a manifest is taken for a substitution, and is none.",
        f"{_FLUX}#post-build-variable-substitution",
        _use_shell_variable,
        answered_by("malformed-substitution"),
    ),
    RepositoryFault(
        "variables-source-mistyped",
        "The name of the ConfigMap or Secret with the variables is mistyped.",
        f"{_FLUX}#post-build-variable-substitution",
        _misspell_source_of_variables,
        answered_by("missing-substitution-source"),
    ),
)
