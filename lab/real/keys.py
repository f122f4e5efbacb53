"""Certificates and secrets of the pair, in a private folder, as their programs read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.kubernetes.pki import issue_certificate, server_names
from lab.kubernetes.values import Json, Object
from lab.ports import EtcdSeat, KubernetesPki, NodeFacts

__all__ = ["write_apiserver_keys", "write_etcd_keys", "write_private"]

_BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def write_etcd_keys(folder: Path, seat: EtcdSeat) -> None:
    """Write `ca.crt`, and `member.crt` and `.key` for clients and peers, as Talos makes them."""
    authority = KubernetesPki(seat.ca_crt, seat.ca_key)
    names = (seat.name, seat.loopback, "localhost", "127.0.0.1")
    write_private(folder / "ca.crt", seat.ca_crt)
    _write_pair(
        folder, "member", issue_certificate(authority, seat.name, (), names=names, usages=_BOTH)
    )


def write_apiserver_keys(folder: Path, pki: KubernetesPki, node: NodeFacts, proxy: Path) -> None:
    """Write everything that a control plane's kube-apiserver reads."""
    etcd = KubernetesPki(pki.etcd_ca_crt, pki.etcd_ca_key)
    write_private(folder / "ca.crt", pki.ca_crt)
    write_private(folder / "etcd-ca.crt", pki.etcd_ca_crt)
    write_private(folder / "accounts.key", pki.service_account_key)
    write_private(folder / "accounts.pub", _derive_public(pki.service_account_key))
    write_private(folder / "encryption.json", _describe_encryption(pki.secretbox))
    write_private(folder / "egress.json", _describe_egress(proxy))
    write_private(folder / "admission.json", _describe_admission(node.admission_control))
    names = server_names(node)
    server = issue_certificate(pki, "kube-apiserver", (), names=names, usages=_SERVER)
    _write_pair(folder, "server", server)
    _write_pair(folder, "etcd", issue_certificate(etcd, "kube-apiserver", ()))


def _write_pair(folder: Path, name: str, pair: Sequence[bytes]) -> None:
    for suffix, content in zip(("crt", "key"), pair, strict=True):
        write_private(folder / f"{name}.{suffix}", content)


def _derive_public(key: bytes) -> bytes:
    return (
        serialization.load_pem_private_key(key, password=None)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _describe_encryption(secretbox: str) -> bytes:
    """Have Secrets encrypted at rest as Talos does: with the machine config's own secret."""
    identity: Object = {"identity": {}}
    keys: list[Json] = [{"name": "key2", "secret": secretbox}]
    providers: list[Json] = [{"secretbox": {"keys": keys}}, identity] if secretbox else [identity]
    described = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    }
    return json.dumps(described).encode()


def _describe_admission(configured: str) -> bytes:
    """Give the API server the plugins that the machine config configures, as Talos does."""
    plugins = json.loads(configured) if configured else []
    described: Object = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins if isinstance(plugins, list) else [],
    }
    return json.dumps(described).encode()


def _describe_egress(proxy: Path) -> bytes:
    """Have what is dialled in the cluster, webhooks above all, dialled through a proxy."""
    transport: Object = {"uds": {"udsName": str(proxy)}}
    connection: Object = {"proxyProtocol": "HTTPConnect", "transport": transport}
    described: Object = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }
    return json.dumps(described).encode()
