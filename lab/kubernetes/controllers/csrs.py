"""Serving certificates of kubelets: asked for, approved by somebody, signed by the CA."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime

from lab.kubernetes.controllers.requests import SERVING
from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.durations import (
    CSR_FIRST_RETRY_S,
    CSR_KEPT_S,
    CSR_LONGEST_RETRY_S,
    CSR_SIGN_S,
)
from lab.kubernetes.faults import PodFault
from lab.kubernetes.pki import make_kubelet_request, sign_request
from lab.kubernetes.store import Change, Place
from lab.kubernetes.users import User
from lab.kubernetes.values import grow, name_of, text, uid_of
from lab.kubernetes.writing import random_suffix
from lab.ports import NodeFacts

__all__ = ["CertificateSigner", "has_serving_certificate", "request_serving"]

_CSRS = "certificatesigningrequests.certificates.k8s.io"
# A name that somebody would pose as.
_STRANGER = "kubernetes.default.svc"


class CertificateSigner:
    """Signs what is approved, and counts each approval once."""

    resources = frozenset({_CSRS})

    def __init__(self, world: World) -> None:
        self._world = world
        self._counted: set[str] = set()

    def places(self, change: Change) -> Iterable[Place]:
        """A request."""
        yield change.place

    def reconcile(self, place: Place) -> None:
        """Count an approval, and sign soon."""
        request = self._world.find(place)
        if request is None or not is_true(request, "Approved") or is_true(request, "Denied"):
            return
        if uid_of(request) not in self._counted:
            self._counted.add(uid_of(request))
            node = text(request, "spec", "username").removeprefix("system:node:")
            self._world.clock.ledger.count(f"csr.approved/{node}")
        if text(request, "status", "certificate") or self._world.pki is None:
            return
        if text(request, "spec", "signerName") == SERVING:
            what = f"certificate of {place.name} signed"
            self._world.later(f"sign/{place.name}", CSR_SIGN_S, what, lambda: self._sign(place))

    def _sign(self, place: Place) -> None:
        request = self._world.find(place)
        if request is None or self._world.pki is None:
            return
        pem = base64.b64decode(text(request, "spec", "request"))
        try:
            signed = sign_request(self._world.pki, pem)
        except ValueError as error:
            message = f"unable to parse csr: {error}"
            now = self._world.api.now()
            self._world.edit(
                place,
                lambda obj: set_condition(
                    grow(obj, "status"),
                    "Failed",
                    "True",
                    "SignerValidationFailure",
                    message,
                    now=now,
                ),
            )
            return
        self._world.set_status(place, {"certificate": base64.b64encode(signed).decode()})


def has_serving_certificate(world: World, node: str) -> bool:
    """Tell whether a kubelet got its serving certificate: else logs and exec fail."""
    return any(
        text(request, "spec", "username") == f"system:node:{node}"
        and text(request, "status", "certificate")
        for request in world.store.all(_CSRS)
    )


def _clean_up(world: World, user: User) -> None:
    """Drop what nobody approved for a day, as kube-controller-manager's csrcleaner does."""
    now = world.clock.now()
    for request in world.store.all(_CSRS):
        created = datetime.fromisoformat(text(request, "metadata", "creationTimestamp"))
        old = (now - created).total_seconds() > CSR_KEPT_S
        if old and text(request, "spec", "username") == user.name:
            world.delete(Place(_CSRS, "", name_of(request)))


def request_serving(world: World, facts: NodeFacts, wait_s: float = CSR_FIRST_RETRY_S) -> None:
    """Ask for a node's serving certificate, and again with back-off while none is issued."""
    if facts.name not in world.nodes or has_serving_certificate(world, facts.name):
        return
    user = User(f"system:node:{facts.name}", ("system:nodes", "system:authenticated"))
    _clean_up(world, user)
    again_s = min(2 * wait_s, CSR_LONGEST_RETRY_S)
    world.expire(f"csr/{facts.name}", wait_s, lambda: request_serving(world, facts, wait_s=again_s))
    fault = world.faults.of_request(facts.name)
    if fault is PodFault.REQUEST_ABSENT:
        return
    also = (_STRANGER,) if fault is PodFault.REQUEST_FOREIGN else ()
    request = base64.b64encode(make_kubelet_request(facts, also)).decode()
    world.api.create(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": f"csr-{random_suffix()}"},
            "spec": {
                "signerName": SERVING,
                "request": request,
                "usages": ["digital signature", "server auth"],
            },
        },
        user=user,
    )
