"""Why a kubelet has no serving certificate."""

from __future__ import annotations

from collections.abc import Iterable

from inventory import Node
from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.sight import Sight
from lifecycle.diagnosis.values import Diagnosis, Key
from lifecycle.world.serving_requests import judge_request, node_of

__all__ = ["explain_requests"]


def explain_requests(nodes: Iterable[Node], facts: Facts, sight: Sight) -> list[Diagnosis]:
    """Explain each declared node that has nothing but undecided requests."""
    found: list[Diagnosis] = []
    for node in nodes:
        diagnosis = _explain_node(node, facts, sight)
        found += [diagnosis] if diagnosis else []
    return found


def _explain_node(node: Node, facts: Facts, sight: Sight) -> Diagnosis | None:
    requests = sight.of_kind("CertificateSigningRequest")
    own = [request for request in requests if node_of(request) == node.hostname]
    pending = [request for request in own if not request.conditions()]
    if not pending or any(request.status.get("certificate") for request in own):
        return None
    request = pending[-1]
    scene = Scene(sight, facts, path=(Key("Node", "", node.hostname),))
    reason = judge_request(request, node)
    signature = "csr-refused" if reason else "csr-pending"
    found = scene.name_cause(signature, name=request.name, node=node.hostname, reason=reason)
    return found.under(f"{len(pending)} request(s) of {node.hostname} pending")
