"""Read a GitOps repository of the ClusterTool kind into immutable values.

May live here: reading files, YAML, kustomize and Flux rules, findings, the dependency graph and
its drawings, all as pure functions over values. May not: anything of `lifecycle` or `lab`,
subprocesses, the network, printing, and writing of any kind.
"""

from __future__ import annotations

from inventory.charts import ChartError, ChartScan, scan_chart
from inventory.crds import (
    CustomResource,
    crd_documents,
    crd_key,
    crds_in,
    find_custom_resources,
    kinds_in,
    split_manifests,
)
from inventory.edges import crd_edges, find_unprovided, infer_edges
from inventory.model import (
    Component,
    Cycle,
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
    Rendered,
    Role,
    Severity,
    Source,
    SourceKey,
    SubstituteSource,
    TalosConfig,
    ValuesReference,
    Variables,
    VariableSet,
    Wave,
)
from inventory.order import find_cycles, order_components, order_layers
from inventory.ranks import rank_edges
from inventory.reading import judge_rendered, list_clusters, read_repository
from inventory.substitution import SubstitutionError, expand, substitute_object

__all__ = [
    "ChartError",
    "ChartScan",
    "Component",
    "CustomResource",
    "Cycle",
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
    "Rendered",
    "Role",
    "Severity",
    "Source",
    "SourceKey",
    "SubstituteSource",
    "SubstitutionError",
    "TalosConfig",
    "ValuesReference",
    "VariableSet",
    "Variables",
    "Wave",
    "crd_documents",
    "crd_edges",
    "crd_key",
    "crds_in",
    "expand",
    "find_custom_resources",
    "find_cycles",
    "find_unprovided",
    "infer_edges",
    "judge_rendered",
    "kinds_in",
    "list_clusters",
    "order_components",
    "order_layers",
    "rank_edges",
    "read_repository",
    "scan_chart",
    "split_manifests",
    "substitute_object",
]
