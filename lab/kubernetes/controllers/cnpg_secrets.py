"""The Secrets of a CloudNativePG Cluster: its authority and certificates, and its users.

Keys and texts as `pkg/specs/secrets.go` and `pkg/certs` of cloudnative-pg have them.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.kubernetes.controllers.cnpg_parts import CLUSTER, head
from lab.kubernetes.controllers.world import World
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.store import Place
from lab.kubernetes.values import Object, at, dig, name_of, namespace_of, text
from lab.ports import KubernetesPki

__all__ = ["keep_secrets", "read_application"]

_PORT = 5432
_DOMAIN = "cluster.local"
# As operators renew them: 90 days.
_LIFETIME = timedelta(days=90)
_BOOTSTRAPS = ("recovery", "pg_basebackup", "initdb")


def keep_secrets(world: World, cluster: Object) -> None:
    """Make the Secrets that are missing; what the owner brings is left to the owner."""
    name, given = name_of(cluster), at(cluster, "spec", "certificates")
    if not given and not _has(world, cluster, f"{name}-ca"):
        _plant_certificates(world, cluster)
    secret, database, owner = read_application(cluster)
    if secret == f"{name}-app" and owner and not _has(world, cluster, secret):
        _plant_user(world, cluster, secret, database, owner)
    superuser = f"{name}-superuser"
    is_wanted = dig(cluster, "spec", "enableSuperuserAccess") is True
    if is_wanted and not text(cluster, "spec", "superuserSecret", "name"):
        if not _has(world, cluster, superuser):
            _plant_user(world, cluster, superuser, "*", "postgres")
    elif not is_wanted and _has(world, cluster, superuser):
        world.delete(Place("secrets", namespace_of(cluster), superuser))


def read_application(cluster: Object) -> tuple[str, str, str]:
    """Return the Secret of the application's user, its database, and the user; "" for none."""
    bootstrap = at(cluster, "spec", "bootstrap")
    method = next((name for name in _BOOTSTRAPS if name in bootstrap), "initdb")
    given = at(bootstrap, method)
    is_replica = dig(cluster, "spec", "replica", "enabled") is True
    if is_replica or text(given, "import", "type") == "monolith":
        return "", "", ""
    database = text(given, "database") or "app"
    secret = text(given, "secret", "name") or f"{name_of(cluster)}-app"
    return secret, database, text(given, "owner") or database


def _has(world: World, cluster: Object, name: str) -> bool:
    return world.store.get("secrets", namespace_of(cluster), name) is not None


def _plant_user(world: World, cluster: Object, name: str, database: str, user: str) -> None:
    host, password = f"{name_of(cluster)}-rw", secrets.token_hex(32)
    near = f"{host}.{namespace_of(cluster)}:{_PORT}"
    far = f"{host}.{namespace_of(cluster)}.svc.{_DOMAIN}:{_PORT}"
    query = urlencode({"password": password, "user": user})
    login = f"{quote(user)}:{password}"
    fields: Object = {
        "username": user,
        "user": user,
        "password": password,
        "dbname": database,
        "host": host,
        "port": str(_PORT),
        "pgpass": f"{host}:{_PORT}:{database}:{user}:{password}\n",
        "uri": f"postgresql://{login}@{near}/{quote(database, safe='*')}",
        "jdbc-uri": f"jdbc:postgresql://{near}/{quote(database, safe='*')}?{query}",
        "fqdn-uri": f"postgresql://{login}@{far}/{quote(database, safe='*')}",
        "fqdn-jdbc-uri": f"jdbc:postgresql://{far}/{quote(database, safe='*')}?{query}",
    }
    labels: Object = {
        "cnpg.io/userType": "superuser" if database == "*" else "app",
        "cnpg.io/reload": "true",
    }
    _plant(world, cluster, name, "kubernetes.io/basic-auth", fields, labels=labels)


def _plant_certificates(world: World, cluster: Object) -> None:
    name, space = name_of(cluster), namespace_of(cluster)
    authority = _make_authority(name, space)
    hosts = [
        f"{name}-{part}{suffix}"
        for part in ("rw", "r", "ro")
        for suffix in ("", f".{space}", f".{space}.svc", f".{space}.svc.{_DOMAIN}")
    ]
    usages = (ExtendedKeyUsageOID.SERVER_AUTH,)
    server = issue_certificate(authority, hosts[0][:64], (), names=hosts, usages=usages)
    client = issue_certificate(authority, "streaming_replica", ())
    fields: Object = {"ca.crt": authority.ca_crt.decode(), "ca.key": authority.ca_key.decode()}
    _plant(world, cluster, f"{name}-ca", "Opaque", fields)
    for part, (certificate, key) in (("server", server), ("replication", client)):
        fields = {"tls.crt": certificate.decode(), "tls.key": key.decode()}
        _plant(world, cluster, f"{name}-{part}", "kubernetes.io/tls", fields)


def _plant(
    world: World,
    cluster: Object,
    name: str,
    kind: str,
    fields: Object,
    *,
    labels: Object | None = None,
) -> None:
    own: Object = {CLUSTER: name_of(cluster), "app.kubernetes.io/managed-by": "cloudnative-pg"}
    world.plant(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": head(cluster, name, {**own, **(labels or {})}),
            "type": kind,
            "stringData": fields,
        }
    )


def _make_authority(name: str, space: str) -> KubernetesPki:
    """Make the authority of one Cluster."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, space[:64]),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KubernetesPki(certificate.public_bytes(pem), private)
