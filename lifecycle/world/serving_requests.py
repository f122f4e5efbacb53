"""Whether a kubelet's request for a serving certificate may be granted.

A pure function of the request and the declared node (facts: flux.md §10). Anything that is not
certainly right stays pending: a certificate for a wrong name lets somebody pose as a node.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from inventory import Node
from lifecycle.drivers.documents import number_at, text_at, texts_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["SIGNER", "judge_request", "node_of"]

SIGNER = "kubernetes.io/kubelet-serving"
_USER_PREFIX = "system:node:"
_LONGEST_S = 367 * 24 * 3600  # kubelet-csr-approver's own default
_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})
_NEEDED_USAGES = frozenset({"digital signature", "server auth"})
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_RSA_BITS = 2048
_GROUPS = frozenset({"system:nodes", "system:authenticated"})


@dataclass(frozen=True, slots=True)
class _Names:
    subject: tuple[str, ...]
    dns: frozenset[str]
    addresses: frozenset[str]
    others: int
    key: str  # what kind of key, where it is too weak or strange for a server; empty otherwise
    is_authentic: bool
    wants_ca: bool


def node_of(request: KubernetesObject) -> str:
    """Return the node name that a kubelet-serving request is for; empty for other requests."""
    user = text_at(request.raw, "spec", "username")
    if text_at(request.raw, "spec", "signerName") != SIGNER or not user.startswith(_USER_PREFIX):
        return ""
    return user.removeprefix(_USER_PREFIX)


def judge_request(request: KubernetesObject, node: Node) -> str:
    """Say why a pending request must not be granted; empty when it may be."""
    spec = request.spec
    if not set(texts_at(request.raw, "spec", "groups")) >= _GROUPS:
        return "the requester is not in the group system:nodes"
    usages = set(texts_at(request.raw, "spec", "usages"))
    if not (_NEEDED_USAGES <= usages <= _USAGES):
        return f"the usages are `{', '.join(sorted(usages))}`"
    if spec.get("expirationSeconds") and number_at(spec, "expirationSeconds") > _LONGEST_S:
        return "it asks for longer than 367 days"
    names = _read_names(text_at(request.raw, "spec", "request"))
    return "it is not a readable request" if names is None else _judge_names(names, node)


def _judge_names(names: _Names, node: Node) -> str:
    if not names.is_authentic or names.key:
        return f"its key is `{names.key}`" if names.key else "its signature is not its own key's"
    if names.subject != (f"CN={_USER_PREFIX}{node.hostname}", "O=system:nodes"):
        return f"its subject is `{', '.join(names.subject)}`"
    if names.others or names.wants_ca:
        return "it asks for more than names and addresses of a server"
    wrong = names.dns - {node.hostname}
    if wrong:
        return f"the name is not the node's: `{', '.join(sorted(wrong))}`"
    declared = {address.partition("/")[0] for address in (node.address, *node.addresses)}
    wrong = names.addresses - declared
    if wrong:
        return f"the address is not declared for the node: `{', '.join(sorted(wrong))}`"
    return "" if names.dns or names.addresses else "it names nothing"


def _read_names(encoded: str) -> _Names | None:
    """Parse the PKCS#10 request; cryptography is imported here, since few runs come to it."""
    from cryptography import x509  # noqa: PLC0415

    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(encoded))
        subject = tuple(sorted(part.rfc4514_string() for part in csr.subject.rdns))
        extensions = {extension.oid: extension.value for extension in csr.extensions}
    except ValueError:
        return None
    names = extensions.get(x509.SubjectAlternativeName.oid)
    constraints = extensions.get(x509.BasicConstraints.oid)
    general = list(names) if isinstance(names, x509.SubjectAlternativeName) else []
    dns = frozenset(name.value for name in general if isinstance(name, x509.DNSName))
    addresses = frozenset(str(name.value) for name in general if isinstance(name, x509.IPAddress))
    return _Names(
        subject,
        dns,
        addresses,
        len(general) - len(dns) - len(addresses),
        _name_odd_key(csr.public_key()),
        csr.is_signature_valid,
        isinstance(constraints, x509.BasicConstraints) and constraints.ca,
    )


def _name_odd_key(key: object) -> str:
    """Name a public key that no kubelet makes: they use ECDSA on P-256, older ones RSA of 2048."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if isinstance(key, ec.EllipticCurvePublicKey):
        return "" if key.curve.name in _CURVES else key.curve.name
    if isinstance(key, rsa.RSAPublicKey):
        return "" if key.key_size >= _RSA_BITS else f"RSA of {key.key_size} bits"
    return "" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__
