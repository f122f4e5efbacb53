"""Checks of what another tool left behind when it was interrupted.

ClusterTool's `flux bootstrap` renames tracked files around an apply: `kustomization.yaml` to
`placeholder`, `bootstrap.yaml.ct` to `kustomization.yaml` (clustertool v4
`pkg/fluxhandler/bootstrap.go`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Finding, Position, Severity
from inventory.rules import make_finding
from inventory.tree import Tree, join, parent

_PLACEHOLDER: Final = "placeholder"
_BOOTSTRAP: Final = "bootstrap.yaml.ct"
_INSTALLS_FLUX: Final = "fluxcd/flux2/manifests/install"


def check_leftovers(facts: Facts) -> Iterator[Finding]:
    """Yield folders whose files carry each other's names."""
    tree = facts.tree
    told: set[str] = set()
    for path in tree.files_called(_PLACEHOLDER):
        if tree.mentions(path, "resources:", "kustomize.config.k8s.io"):
            told.add(parent(path))
            message, severity = _describe(tree, parent(path))
            finding = make_finding("half-renamed-file", message, Position(path))
            yield replace(finding, severity=severity)
    for path in tree.files_called(_BOOTSTRAP):
        own = join(parent(path), "kustomization.yaml")
        if parent(path) not in told and tree.is_file(own) and tree.mentions(own, _INSTALLS_FLUX):
            lines = (tree.text(own) or "").splitlines()
            line = next(n for n, text in enumerate(lines, 1) if _INSTALLS_FLUX in text)
            message = (
                f"kustomization.yaml holds what belongs into {_BOOTSTRAP}, and its own is gone"
            )
            yield make_finding("half-renamed-file", message, Position(own, line))


def _describe(tree: Tree, folder: str) -> tuple[str, Severity]:
    own, bootstrap = join(folder, "kustomization.yaml"), join(folder, _BOOTSTRAP)
    if not tree.is_file(own):
        message = "the true kustomization.yaml is still called `placeholder`"
        return f"{message}, and nothing is in its place", Severity.ERROR
    if not tree.is_file(bootstrap) or tree.mentions(own, _INSTALLS_FLUX):
        message = f"kustomization.yaml holds what belongs into {_BOOTSTRAP}"
        return f"{message}; the true one is still called `placeholder`", Severity.ERROR
    return "a second kustomization.yaml was left behind as `placeholder`", Severity.WARNING
