"""Custom resource definitions in our own words: the right names and scopes, open schemas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from lab.kubernetes.values import Object

__all__ = ["Crd", "describe_crd", "make_crd", "make_crds"]

# Groups of Kubernetes' own community: a real API server wants to know who approved (KEP-1111).
_PROTECTED = (".k8s.io", ".kubernetes.io")
_APPROVAL = "api-approved.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Crd:
    """What distinguishes one definition from another; `versions` newest and stored first."""

    group: str
    kind: str
    plural: str
    versions: tuple[str, ...]
    scope: str = "Namespaced"

    @property
    def name(self) -> str:
        """The object's name, `<plural>.<group>`."""
        return f"{self.plural}.{self.group}"


def make_crds(
    group: str, versions: tuple[str, ...], kinds: str, *, scope: str = "Namespaced"
) -> tuple[Crd, ...]:
    """Make definitions of one group; `kinds` is `Kind/plural`, or `Kind` for a plural with s."""
    made = []
    for word in kinds.split():
        kind, _, plural = word.partition("/")
        made.append(Crd(group, kind, plural or f"{kind.lower()}s", versions, scope))
    return tuple(made)


def make_crd(crd: Crd) -> Object:
    """Build the manifest. Any field is allowed, as `status` is a subresource of its own."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _make_metadata(crd),
        "spec": {
            "group": crd.group,
            "names": {
                "kind": crd.kind,
                "listKind": f"{crd.kind}List",
                "plural": crd.plural,
                "singular": crd.kind.lower(),
            },
            "scope": crd.scope,
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == crd.versions[0],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                    "subresources": {"status": {}},
                }
                for version in crd.versions
            ],
        },
    }


def _make_metadata(crd: Crd) -> Object:
    if not crd.group.endswith(_PROTECTED):
        return {"name": crd.name}
    return {"name": crd.name, "annotations": {_APPROVAL: "unapproved, made by the lab"}}


def describe_crd(crds: Iterable[Crd], *, labels: bool) -> str:
    """Write the definitions as YAML; with `labels` as a Helm template that only Helm can read."""
    documents = []
    for crd in crds:
        document = yaml.safe_dump(make_crd(crd), sort_keys=False)
        if labels:
            labelled = 'metadata:\n  labels:\n    {{- include "lab.labels" $ | nindent 4 }}\n'
            document = document.replace("metadata:\n", labelled, 1)
        documents.append(f"---\n{document}")
    return "".join(documents)
