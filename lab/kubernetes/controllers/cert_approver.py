"""What kubelet-serving-cert-approver makes of a request; it knows no settings.

Follows alex1989hu/kubelet-serving-cert-approver v0.9.3, `controller/certificatesigningrequest`.
It never denies: what does not conform gets an event and stays pending. It compares no name and no
address with a node: whoever holds a node's credential gets any of them.
"""

from __future__ import annotations

from lab.kubernetes.controllers.requests import NODE_USER, Asked, Verdict, read_request
from lab.kubernetes.values import Object, name_of

__all__ = ["judge_by_cert_approver"]

_USAGES = frozenset({"digital signature", "server auth", "key encipherment"})
_UNRECOGNIZED = "Unable to recognize the Certificate Signing Request"


def judge_by_cert_approver(request: Object) -> Verdict | None:
    """Decide about a pending request; None for one that it cannot be asked about."""
    asked = read_request(request)
    if asked is None:
        return None  # the API server takes none that cannot be parsed
    name, objection = name_of(request), _find_objection(asked)
    if objection:  # the bracket is theirs
        return _fail(f"{_UNRECOGNIZED}: {name}): {objection}")
    if not _may_create(asked):
        why = "Node is not authorized. Unable to perform Subject Access Review, "
        return _fail(f"{why}: {name}")
    return Verdict(
        "Approved",
        "Approved by Kubelet Serving Certificate Approver",
        "Auto approving Kubelet Serving Certificate after Subject Access Review.",
        ("Approved", f"The Certificate Signing Request has been approved: {name}"),
    )


def _fail(message: str) -> Verdict:
    return Verdict(event=("ApproveFailed", message), is_warning=True)


def _find_objection(asked: Asked) -> str:
    if asked.organizations != ("system:nodes",):
        return "organization does not match"
    if not asked.common_name.startswith(NODE_USER):
        return "x509 Common Name does not start with 'system:node'"
    if asked.common_name != asked.user:
        return "x509 Common Name does not match with Certificate Signing Request Username"
    if asked.emails or asked.uris:
        return "emailAddress and URI subjectAltName extensions are forbidden"
    if not asked.names and not asked.addresses:
        return "either DNS Names or IP Addresses is missing"
    return "" if set(asked.usages) <= _USAGES else "key usage does not match"


def _may_create(asked: Asked) -> bool:
    """Answer its SubjectAccessReview: the node authorizer lets nodes ask for certificates."""
    return "system:nodes" in asked.groups or "system:masters" in asked.groups
