"""What kubelets serve, as an API server that dials them hears it.

One without an approved serving certificate ends each handshake; one that serves says that there
are no containers, which is all that the lab could show of them.
"""

from __future__ import annotations

from lab.kubernetes.errors import InternalError
from lab.kubernetes.store import Store
from lab.kubernetes.values import text

__all__ = ["NO_CONTAINERS", "is_serving", "refuse_logs"]

NO_CONTAINERS = "the lab simulates pods: no container runs that could log or execute anything"
_CSRS = "certificatesigningrequests.certificates.k8s.io"


def is_serving(store: Store, node: str) -> bool:
    """Tell whether a node's kubelet has its serving certificate."""
    user = f"system:node:{node}"
    return any(
        text(request, "spec", "username") == user and text(request, "status", "certificate")
        for request in store.all(_CSRS)
    )


def refuse_logs(store: Store, node: str) -> InternalError:
    """Say why there are no logs of a node's pods: as a real API server passes it on."""
    if not is_serving(store, node):
        return InternalError(
            f'Get "https://{node}:10250/containerLogs": remote error: tls: internal error'
        )
    return InternalError(
        f"Internal error occurred: {NO_CONTAINERS}",
        details={"causes": [{"message": NO_CONTAINERS}]},
    )
