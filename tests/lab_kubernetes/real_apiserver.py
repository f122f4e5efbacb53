"""A real kube-apiserver with a real etcd on loopback, from the folder KUBEBUILDER_ASSETS."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.kubernetes.pki import issue_certificate
from lab.ports import KubernetesPki
from tests.real_programs import HOST, find_ports, run_program

__all__ = ["RealServer", "explain_missing", "run_real_server"]

VARIABLE = "KUBEBUILDER_ASSETS"
# Measured: 5 to 8 s on two busy cores.
_LONGEST_START_S = 60.0


@dataclass(frozen=True, slots=True)
class RealServer:
    """Where a real API server answers, and the TLS of its administrator."""

    url: str
    context: ssl.SSLContext


def explain_missing() -> str:
    """Say why there is no real API server to compare with; "" when there is one."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        return f"{VARIABLE} is not set"
    missing = [name for name in ("etcd", "kube-apiserver") if not (Path(folder) / name).is_file()]
    return f"{VARIABLE} ({folder}) lacks {' and '.join(missing)}" if missing else ""


@contextmanager
def run_real_server(folder: Path, pki: KubernetesPki) -> Iterator[RealServer]:
    """Run etcd and kube-apiserver with their data and keys in `folder`; end both at the end."""
    client_port, peer_port, port = find_ports(3)
    _write_keys(folder, pki)
    etcd_url = f"http://{HOST}:{client_port}"
    peer_url = f"http://{HOST}:{peer_port}"
    etcd = [
        *("etcd", "--name=real", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync"),
        *(f"--listen-client-urls={etcd_url}", f"--advertise-client-urls={etcd_url}"),
        *(f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}"),
        f"--initial-cluster=real={peer_url}",
    ]
    context = ssl.create_default_context(cadata=pki.ca_crt.decode())
    context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    server = RealServer(f"https://{HOST}:{port}", context)
    with _run(folder, etcd), _run(folder, _list_arguments(folder, etcd_url, port)) as process:
        _wait_until_ready(server, process, folder / "kube-apiserver.log")
        yield server


def _list_arguments(folder: Path, etcd_url: str, port: int) -> list[str]:
    return [
        "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        *(f"--bind-address={HOST}", f"--advertise-address={HOST}", f"--secure-port={port}"),
        *(f"--cert-dir={folder}", f"--client-ca-file={folder / 'ca.crt'}"),
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        # No controller manager makes the account `default` that this one asks for.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]


def _write_keys(folder: Path, pki: KubernetesPki) -> None:
    (folder / "ca.crt").write_bytes(pki.ca_crt)
    names, usages = (HOST, "localhost"), (ExtendedKeyUsageOID.SERVER_AUTH,)
    pairs = {
        "server": issue_certificate(pki, "kube-apiserver", (), names=names, usages=usages),
        "admin": issue_certificate(pki, "admin", ("system:masters",)),
    }
    for name, (certificate, key) in pairs.items():
        (folder / f"{name}.crt").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "accounts.key").write_bytes(
        accounts.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "accounts.pub").write_bytes(
        accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _run(folder: Path, arguments: Sequence[str]) -> AbstractContextManager[subprocess.Popen[bytes]]:
    program, *rest = arguments
    command = [str(Path(os.environ[VARIABLE]) / program), *rest]
    return run_program(folder, command, {"HOME": str(folder)})


def _wait_until_ready(server: RealServer, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _LONGEST_START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(  # noqa: S310  always https
                f"{server.url}/readyz", context=server.context, timeout=5
            ):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    tail = log.read_text(errors="replace").splitlines()[-10:]
    raise AssertionError("the real API server did not become ready:\n" + "\n".join(tail))
