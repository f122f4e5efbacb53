"""What tests of the lab's Kubernetes hold in their hands: a cluster, its PKI, manifests."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.kubernetes import Kubernetes, KubernetesClient
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.values import Object, dig
from lab.ledger import Ledger
from lab.ports import KubernetesPki, NodeFacts

SPEED = 1000.0
PORT = 20000 + os.getpid() % 10000  # several workers test at the same time


@dataclass(frozen=True, slots=True)
class Cluster:
    """What tests hold: the plane, its client, its ledger, and a kubeconfig."""

    plane: Kubernetes
    client: KubernetesClient
    ledger: Ledger
    pki: KubernetesPki
    folder: Path

    @property
    def url(self) -> str:
        """Where the first control plane listens."""
        return f"https://{CONTROL_PLANE.loopback}:{PORT}"

    def anonymous_context(self) -> ssl.SSLContext:
        """TLS for a client without a certificate."""
        return ssl.create_default_context(cadata=self.pki.ca_crt.decode())

    def client_context(self, user: str = "admin", group: str = "system:masters") -> ssl.SSLContext:
        """TLS for a client of the cluster."""
        certificate, key = issue_certificate(self.pki, user, (group,))
        (self.folder / "client.crt").write_bytes(certificate)
        (self.folder / "client.key").write_bytes(key)
        context = ssl.create_default_context(cadata=self.pki.ca_crt.decode())
        context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context

    def kubeconfig(self) -> Path:
        """Write a kubeconfig for real clients."""
        self.client_context()
        (self.folder / "ca.crt").write_bytes(self.pki.ca_crt)
        files = {name: str(self.folder / name) for name in ("client.crt", "client.key", "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [
                {
                    "name": "lab",
                    "cluster": {"server": self.url, "certificate-authority": files["ca.crt"]},
                }
            ],
            "users": [
                {
                    "name": "lab",
                    "user": {
                        "client-certificate": files["client.crt"],
                        "client-key": files["client.key"],
                    },
                }
            ],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        }
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def see(self, api_version: str, kind: str, name: str, namespace: str = "") -> Watcher:
        """Prepare to wait for something about one object."""
        return Watcher(self.client, (api_version, kind), name, namespace)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Waits until an object is as wanted, without polling."""

    client: KubernetesClient
    kind: tuple[str, str]
    name: str
    namespace: str

    async def until(self, wanted: Callable[[Object], bool]) -> Object:
        """Wait for the object to be as `wanted`."""
        fields = f"metadata.name={self.name}"
        async for event in self.client.watch(*self.kind, self.namespace, fields=fields):
            if event.type != "DELETED" and wanted(event.object):
                return event.object
        raise AssertionError(self.name)

    async def until_gone(self) -> None:
        """Wait for the object to be deleted."""
        fields = f"metadata.name={self.name}"
        if await self.client.find(*self.kind, self.name, self.namespace) is None:
            return
        async for event in self.client.watch(*self.kind, self.namespace, fields=fields):
            if event.type == "DELETED":
                return


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def make_pki() -> KubernetesPki:
    """Make a cluster's CA as Talos does: ECDSA P-256, O=kubernetes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "kubernetes")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS, critical=True)  # Python 3.13 takes no CA without it
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KubernetesPki(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


CONTROL_PLANE = NodeFacts(
    name="cp-1",
    role="controlplane",
    address="10.42.0.11",
    loopback="127.42.0.11",
    vip="10.42.0.10",
    vip_loopback="127.42.0.10",
)
WORKER = NodeFacts(name="worker-1", role="worker", address="10.42.0.21", loopback="127.42.0.21")


def cni() -> Object:
    """A DaemonSet as Cilium's chart makes it, cut down."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "cilium"}},
            "template": {
                "metadata": {"labels": {"k8s-app": "cilium"}},
                "spec": {
                    "hostNetwork": True,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{"name": "agent", "image": "cilium:v1"}],
                },
            },
        },
    }


def condition(obj: Object, kind: str) -> str:
    """Status of a condition, "" when there is none."""
    conditions = dig(obj, "status", "conditions")
    for item in conditions if isinstance(conditions, list) else []:
        if isinstance(item, dict) and item.get("type") == kind:
            return str(item.get("status"))
    return ""


def deployment(name: str, namespace: str = "default", *, image: str = "x:1") -> Object:
    """A Deployment of one container `c`."""
    labels: Object = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }


def crd(
    plural: str = "things",
    kind: str = "Thing",
    group: str = "example.org",
) -> Object:
    """A CRD with two versions and a status subresource."""
    schema: Object = {
        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == "v1",
                    "schema": dict(schema),
                    "subresources": {"status": {}},
                }
                for name in ("v1beta1", "v1", "v1beta2")
            ],
        },
    }
