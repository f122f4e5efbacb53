"""Step: approve a node's serving certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from inventory import Node
from lifecycle.drivers.kubernetes import KubernetesObject, Selection
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied, Unknown
from lifecycle.errors import ConflictError, TransientError
from lifecycle.world import World
from lifecycle.world.serving_requests import SIGNER, judge_request, node_of

__all__ = ["ApproveServingCertificate"]


@dataclass(frozen=True, slots=True)
class ApproveServingCertificate:
    """Grants the kubelet of one declared node exactly its own name and addresses.

    The in-cluster approver cannot run before the CNI, and much waits for logs and metrics until
    then. Requests of other signers, of undeclared nodes or for other names are never
    touched. Safe to repeat: what is decided is left alone.
    """

    world: World
    node: Node
    after: tuple[str, ...] = ()
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"approve-serving-certificate/{self.node.hostname}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Approve serving certificate of {self.node.hostname}"

    @property
    def hint(self) -> str:
        """What to do about a kubelet that does not ask."""
        return (
            f"look at what its kubelet says: talosctl -n {self.node.address} logs kubelet; it asks "
            "only where machine.kubelet.extraArgs has rotate-server-certificates: true"
        )

    async def probe(self) -> Answer:
        """Look for the node's requests, and whether its kubelet serves with a certificate."""
        pending, has_issued = await self._look()
        good = [request for request in pending if not judge_request(request, self.node)]
        if good:
            return Needed(f"{len(good)} request(s) of {self.node.hostname} pending")
        # Each request is judged alone: one that must not be granted is no reason to stop a run
        # whose node has what it needs.
        if has_issued:
            return Satisfied("kubelet has its serving certificate")
        if pending:
            reason = judge_request(pending[0], self.node)
            return Blocked(
                f"request must not be granted: `{pending[0].name}`: {reason}",
                f"look at: kubectl get csr {pending[0].name} -o yaml; check {self.node.position}, "
                f"and deny it: kubectl certificate deny {pending[0].name}",
            )
        api = await self.world.access.api()
        if await api.kubelet_answers(self.node.hostname):
            return Satisfied("kubelet has its serving certificate")
        return Unknown(
            f"kubelet of {self.node.hostname} has not asked for its serving certificate yet"
        )

    async def apply(self) -> None:
        """Approve what may be granted."""
        api = await self.world.access.api()
        for request in (await self._look())[0]:
            if judge_request(request, self.node):
                continue
            try:
                await api.approve_csr(
                    request,
                    reason="DeclaredNode",
                    message=f"name and addresses are those of {self.node.position}",
                )
            except ConflictError as error:
                raise TransientError(error.message, step=self.name) from error

    async def _look(self) -> tuple[list[KubernetesObject], bool]:
        """Return the node's undecided requests, and whether one was issued."""
        api = await self.world.access.api()
        selection = Selection(
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            fields=f"spec.signerName={SIGNER}",
        )
        requests = (await api.list(selection)).items
        own = [request for request in requests if node_of(request) == self.node.hostname]
        pending = [request for request in own if not request.conditions()]
        return pending, any(request.status.get("certificate") for request in own)
