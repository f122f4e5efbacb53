"""The lab's Kubernetes: one store, an API server over TLS, and the controllers that live in it.

Here lives whatever a real control plane does by itself: storing and validating objects, watches,
server-side apply, nodes and kubelets, workloads, volumes, load balancers, webhooks. Flux does
not: it is a client like any other (`lab.flux` uses the in-process client). Machines drive this
package through `lab.ports.KubernetesPlane` only. Nothing of `lifecycle` is known here.
"""

from __future__ import annotations

from lab.kubernetes.client import KubernetesClient, WatchEvent
from lab.kubernetes.plane import Kubernetes

__all__ = ["Kubernetes", "KubernetesClient", "WatchEvent"]
