"""The admin kubeconfig that a control plane issues, packed as `talosctl kubeconfig` expects it."""

from __future__ import annotations

import base64

import yaml

from lab.machines import pki
from lab.machines.archive import pack_file
from lab.machines.config import MachineConfig

__all__ = ["pack_kubeconfig"]


def pack_kubeconfig(config: MachineConfig, server: str) -> bytes:
    """Make a new admin client certificate and pack the kubeconfig with it as tar.gz.

    `server` is the URL that it names: the config's endpoint, as it is reached.
    """
    return pack_file("kubeconfig", _write_kubeconfig(config, server).encode())


def _write_kubeconfig(config: MachineConfig, server: str) -> str:
    authority = pki.KeyPair(config.kubernetes_ca_crt, config.kubernetes_ca_key)
    admin = pki.mint_client(authority, "system:masters", common="admin")
    cluster = config.cluster_name
    user = f"admin@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": _encode(config.kubernetes_ca_crt),
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _encode(admin.crt),
                    "client-key-data": _encode(admin.key),
                },
            }
        ],
        "contexts": [
            {
                "name": user,
                "context": {"cluster": cluster, "namespace": "default", "user": user},
            }
        ],
        "current-context": user,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _encode(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
