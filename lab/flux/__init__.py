"""The lab's Flux: source-, kustomize- and helm-controller on the lab's Kubernetes.

Here lives what those controllers decide and do; git, kubectl, sops and helm do their own part for
real. They are clients of the API like any other and keep no truth of their own: statuses, release
records and inventories lie in the cluster, so a controller that restarts goes on where it was.
"""

from __future__ import annotations

from lab.flux.controllers import Flux

__all__ = ["Flux"]
