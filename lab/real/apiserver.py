"""One kube-apiserver on a machine's loopback address, with the PKI of the machine config."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from pathlib import Path

from lab.ports import KubernetesPki, NodeFacts
from lab.real.front import SERVER_PORT
from lab.real.keys import write_apiserver_keys
from lab.real.programs import Child, Programs
from lab.real.terminator import FRONT_PROXY

__all__ = ["RealApiServer", "StartError"]

# Measured: 5 to 8 s on two busy cores.
_LONGEST_START_S = 120.0
_POLL_S = 0.1
_ANSWER_TIMEOUT_S = 5.0
# Talos' default service subnet, as everywhere in the lab.
_SERVICES = "10.96.0.0/12"
# What waits for a kube-controller-manager to clean up or to count, which is not there.
_LEFT_OUT = (
    "ResourceQuota",
    "StorageObjectInUseProtection",
)


class StartError(Exception):
    """The process ended, or never became ready; the message ends with what it said."""


class RealApiServer:
    """A process from `begin` to `end`."""

    def __init__(
        self, programs: Programs, folder: Path, node: NodeFacts, port: int, proxy: Path
    ) -> None:
        self.node = node
        self._programs = programs
        self._folder = folder
        self._port = port
        self._proxy = proxy  # through which services of the cluster are dialled
        self._child: Child | None = None

    @property
    def has_ended(self) -> bool:
        """Tell whether the process ended by itself."""
        return self._child is not None and not self._child.runs

    def begin(self, pki: KubernetesPki) -> None:
        """Write its keys and start it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_apiserver_keys(self._folder, pki, self.node, self._proxy)
        log = self._folder / "kube-apiserver.log"
        self._child = Child(self._programs.apiserver, self._list_arguments(), log)

    async def wait_ready(self, context: ssl.SSLContext) -> None:
        """Wait until it is ready, or was ended meanwhile.

        Raises:
            StartError: it is not, and will not be.
        """
        deadline = time.monotonic() + _LONGEST_START_S
        while (child := self._child) is not None:
            if await asyncio.to_thread(self._answers, context):
                return
            if not child.runs:
                raise StartError(f"kube-apiserver ended:\n{child.read_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"kube-apiserver is not ready:\n{child.read_tail()}")
            await asyncio.sleep(_POLL_S)

    async def end(self) -> None:
        """End it at once, as when a machine goes down: it keeps nothing."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    def _answers(self, context: ssl.SSLContext) -> bool:
        connection = http.client.HTTPSConnection(
            self.node.loopback, SERVER_PORT, timeout=_ANSWER_TIMEOUT_S, context=context
        )
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _list_arguments(self) -> list[str]:
        folder, address = self._folder, self.node.loopback
        issuer = self.node.cluster_endpoint or f"https://{address}:{self._port}"
        return [
            f"--bind-address={address}",
            f"--advertise-address={address}",
            f"--secure-port={SERVER_PORT}",
            f"--cert-dir={folder}",
            f"--client-ca-file={folder / 'ca.crt'}",
            # For what ends TLS before it while a fault is on.
            f"--requestheader-client-ca-file={folder / 'etcd-ca.crt'}",
            f"--requestheader-allowed-names={FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--tls-cert-file={folder / 'server.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}",
            f"--etcd-servers=https://{address}:2379",
            f"--etcd-cafile={folder / 'etcd-ca.crt'}",
            f"--etcd-certfile={folder / 'etcd.crt'}",
            f"--etcd-keyfile={folder / 'etcd.key'}",
            f"--encryption-provider-config={folder / 'encryption.json'}",
            f"--egress-selector-config-file={folder / 'egress.json'}",
            f"--admission-control-config-file={folder / 'admission.json'}",
            f"--service-account-issuer={issuer}",
            f"--service-account-key-file={folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={folder / 'accounts.key'}",
            f"--service-cluster-ip-range={_SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            # As Talos has it: names of nodes need not resolve.
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            "--anonymous-auth=false",
            "--profiling=false",
            f"--disable-admission-plugins={','.join(_LEFT_OUT)}",
            # No kube-proxy looks for them.
            "--endpoint-reconciler-type=none",
        ]
