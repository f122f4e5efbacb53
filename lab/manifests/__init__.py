"""What Talos has a new cluster contain: its bootstrap manifests, made from a machine config.

Machines list them as resources and Kubernetes creates their objects; both make them here. Knows
neither of the two. Names, order and conditions are those of `controllers/k8s/manifest.go` and
`extra_manifest.go` of Talos v1.13.9; of the objects, what tools and the lab's controllers look at.
"""

from __future__ import annotations

from lab.manifests.making import make_manifests
from lab.manifests.values import INVENTORY, INVENTORY_NAMESPACE, OWNER_MARK, Manifest

__all__ = ["INVENTORY", "INVENTORY_NAMESPACE", "OWNER_MARK", "Manifest", "make_manifests"]
