"""Read a GitOps repository of the ClusterTool kind into immutable values.

May live here: reading files, YAML, kustomize and Flux rules, findings, the dependency graph and
its drawings, all as pure functions over values. May not: anything of `lifecycle` or `lab`,
subprocesses, the network, printing, and writing of any kind.
"""

from __future__ import annotations

from inventory.model import (
    Component,
    DeadObject,
    Edge,
    EdgeKind,
    Entry,
    Finding,
    Interface,
    Inventory,
    Json,
    JsonObject,
    Layer,
    Node,
    ObjectRef,
    Position,
    Release,
    Role,
    Severity,
    Source,
    SourceKey,
    SubstituteSource,
    TalosConfig,
    ValuesReference,
    Variables,
    VariableSet,
)
from inventory.reading import list_clusters, read_repository

__all__ = [
    "Component",
    "DeadObject",
    "Edge",
    "EdgeKind",
    "Entry",
    "Finding",
    "Interface",
    "Inventory",
    "Json",
    "JsonObject",
    "Layer",
    "Node",
    "ObjectRef",
    "Position",
    "Release",
    "Role",
    "Severity",
    "Source",
    "SourceKey",
    "SubstituteSource",
    "TalosConfig",
    "ValuesReference",
    "VariableSet",
    "Variables",
    "list_clusters",
    "read_repository",
]
