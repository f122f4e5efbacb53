"""A small ClusterTool repository, and a way to run a stand-in as the process that it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.standins.install import STANDINS, install_standins
from tests.standins.standins_process import Run, Said

_CLUSTERENV = """\
VIP: 10.55.0.5
MASTER1IP: 10.55.0.11/24
WORKER1IP: 10.55.0.21
GATEWAY: 10.55.0.1
METALLB_RANGE: 10.55.0.130-10.55.0.250
HEADLAMP_IP: 10.55.0.133
DOMAIN_0: lab.example
DOMAIN_0_EMAIL: ops@lab.example
DOMAIN_0_CLOUDFLARE_TOKEN: synthetic-token
PODNET: 172.16.0.0/16
SVCNET: 172.17.0.0/16
"""
_TALCONFIG = """\
clusterName: ${CLUSTERNAME}
talosVersion: v1.13.9
kubernetesVersion: v1.36.3  # ${NOT_A_VARIABLE}
endpoint: https://${VIP}:6443
additionalMachineCertSans: ["${VIP}"]
clusterPodNets: ["${PODNET}"]
clusterSvcNets: ["${SVCNET}"]
cniConfig: {name: none}
patches:
  - '@./patches/all.yaml'
nodes:
  - hostname: cp-1
    ipAddress: ${MASTER1IP_IP}
    controlPlane: true
    installDiskSelector: {size: <= 1600GB}
    nameservers: [9.9.9.9]
    networkInterfaces:
      - interface: eth0
        addresses: ["${MASTER1IP_CIDR}"]
        routes: [{network: 0.0.0.0/0, gateway: "${GATEWAY}"}]
        vip: {ip: "${VIP}"}
  - hostname: worker-1
    ipAddress: ${WORKER1IP_IP}
    installDisk: /dev/sda
    nodeLabels:
      zone: ${ZONE:-lemnos}
    patches:
      - |-
        machine:
          sysctls:
            vm.nr_hugepages: 2048
controlPlane:
  patches: ['@./patches/controlplane.yaml']
  schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/iscsi-tools]}}}
worker:
  patches: ['@./patches/worker.yaml']
"""


@pytest.fixture
def launchers(tmp_path: Path) -> Path:
    """A folder with a launcher of every stand-in."""
    folder = tmp_path / "launchers"
    install_standins(folder, STANDINS)
    return folder


@pytest.fixture
def run(launchers: Path, tmp_path: Path) -> Run:
    """Run a stand-in: `run("talosctl", "version", cwd=...)`."""

    def call(
        tool: str, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Said:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "NO_COLOR": "1",
            **(env or {}),
        }
        done = subprocess.run(
            [str(launchers / tool), *words],
            cwd=cwd or tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(done.stdout, done.stderr, done.returncode)

    return call


@pytest.fixture
def cluster_repository(tmp_path: Path) -> Path:
    """A decrypted repository whose patches Git ignores, as after a clone."""
    root = tmp_path / "repository"
    talos = root / "clusters" / "main" / "talos"
    talos.mkdir(parents=True)
    (root / ".sops.yaml").write_text("creation_rules:\n  - path_regex: clusterenv.yaml\n")
    (root / "clusters" / "main" / "clusterenv.yaml").write_text(_CLUSTERENV)
    (talos / "talconfig.yaml").write_text(_TALCONFIG)
    return root
