"""What approvers read of a request for a serving certificate, and what they decide."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.kubernetes.controllers.world import is_true
from lab.kubernetes.values import Object, number, text, texts

__all__ = ["NODE_USER", "SERVING", "Asked", "Verdict", "is_pending", "read_request"]

SERVING = "kubernetes.io/kubelet-serving"
NODE_USER = "system:node:"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its PKCS#10 part parsed."""

    user: str
    groups: tuple[str, ...]
    usages: tuple[str, ...]
    common_name: str
    organizations: tuple[str, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    longest_s: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an approver writes: a condition (`Approved`, `Denied`, or none), and an event."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    event: tuple[str, str] = ("", "")  # reason and message
    is_warning: bool = False


def is_pending(request: Object) -> bool:
    """Tell whether nobody decided about a request for a serving certificate."""
    return (
        text(request, "spec", "signerName") == SERVING
        and not is_true(request, "Approved")
        and not is_true(request, "Denied")
        and not text(request, "status", "certificate")
    )


def read_request(request: Object) -> Asked | None:
    """Parse a request; None where it is none of X.509."""
    try:
        parsed = x509.load_pem_x509_csr(base64.b64decode(text(request, "spec", "request")))
    except ValueError:
        return None
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    return Asked(
        user=text(request, "spec", "username"),
        groups=tuple(texts(request, "spec", "groups")),
        usages=tuple(texts(request, "spec", "usages")),
        common_name=next(iter(_list_subject(parsed, NameOID.COMMON_NAME)), ""),
        organizations=_list_subject(parsed, NameOID.ORGANIZATION_NAME),
        names=tuple(found.get_values_for_type(x509.DNSName)),
        addresses=tuple(str(one) for one in found.get_values_for_type(x509.IPAddress)),
        emails=tuple(found.get_values_for_type(x509.RFC822Name)),
        uris=tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
        longest_s=number(request, "spec", "expirationSeconds"),
    )


def _list_subject(
    parsed: x509.CertificateSigningRequest, what: x509.ObjectIdentifier
) -> tuple[str, ...]:
    return tuple(str(part.value) for part in parsed.subject.get_attributes_for_oid(what))
