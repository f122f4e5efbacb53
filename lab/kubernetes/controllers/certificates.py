"""cert-manager: issuers and certificates become Ready while its controller runs."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.durations import CERTIFICATE_ISSUE_S
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Object,
    at,
    clone_map,
    grow,
    is_going,
    name_of,
    namespace_of,
    number,
    text,
    texts,
    uid_of,
)

__all__ = ["CertManager"]

_GROUP = "cert-manager.io"
_CERTIFICATES = f"certificates.{_GROUP}"
_ISSUERS = {"ClusterIssuer": f"clusterissuers.{_GROUP}", "Issuer": f"issuers.{_GROUP}"}


class CertManager:
    """Follows cert-manager's controller Deployment."""

    resources = frozenset({_CERTIFICATES, *_ISSUERS.values(), "deployments.apps"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """An issuer or certificate; all of them when the controller or an issuer changed."""
        if change.resource != "deployments.apps":
            yield change.place
        elif not name_of(change.object).startswith("cert-manager"):
            return
        if change.resource != _CERTIFICATES:
            for resource in (*_ISSUERS.values(), _CERTIFICATES):
                for obj in self._world.store.all(resource):
                    if not is_true(obj, "Ready"):
                        yield Place(resource, namespace_of(obj), name_of(obj))

    def reconcile(self, place: Place) -> None:
        """Make one issuer or certificate Ready, in a while."""
        obj = self._world.find(place)
        if obj is None or is_going(obj) or is_true(obj, "Ready") or not self._runs():
            return
        if place.resource == _CERTIFICATES and not self._has_issuer(obj):
            return
        self._world.later(
            f"cert-manager/{uid_of(obj)}",
            CERTIFICATE_ISSUE_S,
            f"{place.resource} {place.name} ready",
            lambda: self._finish(place),
        )

    def _runs(self) -> bool:
        return any(
            name_of(deployment) == "cert-manager" and number(deployment, "status", "readyReplicas")
            for deployment in self._world.store.all("deployments.apps")
        )

    def _has_issuer(self, certificate: Object) -> bool:
        reference = at(certificate, "spec", "issuerRef")
        kind = text(reference, "kind") or "Issuer"
        namespace = namespace_of(certificate) if kind == "Issuer" else ""
        resource = _ISSUERS.get(kind, "")
        issuer = self._world.store.get(resource, namespace, text(reference, "name"))
        return issuer is not None and is_true(issuer, "Ready")

    def _finish(self, place: Place) -> None:
        obj = self._world.find(place)
        if obj is None:
            return
        if place.resource == _CERTIFICATES:
            self._plant_secret(obj)
            reason, message = "Ready", "Certificate is up to date and has not expired"
        else:
            reason, message = "IsReady", "The issuer is ready"
        now = self._world.api.now()

        def change(changed: Object) -> None:
            status = grow(changed, "status")
            set_condition(status, "Ready", "True", reason, message, now=now)

        self._world.edit(place, change)

    def _plant_secret(self, certificate: Object) -> None:
        if self._world.pki is None:
            return
        names = texts(certificate, "spec", "dnsNames")
        common = text(certificate, "spec", "commonName") or (names[0] if names else "lab")
        signed, key = issue_certificate(self._world.pki, common[:64], (), names=names)
        template = at(certificate, "spec", "secretTemplate")
        metadata = clone_map({k: v for k, v in template.items() if k in {"annotations", "labels"}})
        metadata["name"] = text(certificate, "spec", "secretName")
        metadata["namespace"] = namespace_of(certificate)
        self._world.plant(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata,
                "type": "kubernetes.io/tls",
                "data": {
                    "tls.crt": base64.b64encode(signed).decode(),
                    "tls.key": base64.b64encode(key).decode(),
                    "ca.crt": base64.b64encode(self._world.pki.ca_crt).decode(),
                },
            }
        )
