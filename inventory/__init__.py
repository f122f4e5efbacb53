"""Read a GitOps repository of the ClusterTool kind into immutable values.

May live here: reading files, YAML, kustomize and Flux rules, findings, the dependency graph and its
drawings, all as pure functions over values. May not: anything of `lifecycle` or `lab`, subprocesses,
the network, printing, and writing of any kind.
"""

from __future__ import annotations
