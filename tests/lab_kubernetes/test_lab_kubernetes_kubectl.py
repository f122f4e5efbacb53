"""Real kubectl against the lab's API server."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from lab.kubernetes.values import name_of
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, crd, deployment

KUBECTL = shutil.which("kubectl") or shutil.which("kubectl", path=Path(sys.executable).parent)

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is neither on PATH nor installed"),
]


async def kubectl(cluster: Cluster, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run kubectl; returns its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        KUBECTL or "kubectl",
        f"--kubeconfig={cluster.folder / 'kubeconfig'}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"HOME": str(cluster.folder), "PATH": "/usr/bin:/bin"},
    )
    output, _ = await process.communicate(stdin.encode())
    return process.returncode or 0, output.decode()


async def test_everyday_verbs(ready: Cluster) -> None:
    """Apply server-side, wait, get, describe, delete a namespace."""
    ready.kubeconfig()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    manifests = yaml.safe_dump_all([space, deployment("web", "web"), crd()])
    applied = await kubectl(ready, "apply", "--server-side", "-f", "-", stdin=manifests)
    waited = await kubectl(
        ready, "wait", "--for=condition=Available", "deployment/web", "-n", "web", "--timeout=20s"
    )
    listed = await kubectl(ready, "get", "pods", "-n", "web", "-o", "wide")
    described = await kubectl(ready, "describe", "node", "worker-1")
    deleted = await kubectl(ready, "delete", "namespace", "web", "--timeout=20s")

    assert (0, True) == (applied[0], "deployment.apps/web serverside-applied" in applied[1])
    assert (0, "deployment.apps/web condition met\n") == waited
    assert "Running" in listed[1]
    assert "KubeletReady" in described[1]
    assert (0, True) == (deleted[0], 'namespace "web" deleted' in deleted[1])


async def test_drain_and_approve(ready: Cluster) -> None:
    """Cordon, evict, uncordon; approve a kubelet's request."""
    ready.kubeconfig()
    drained = await kubectl(
        ready, "drain", "worker-1", "--ignore-daemonsets", "--force", "--timeout=20s"
    )
    uncordoned = await kubectl(ready, "uncordon", "worker-1")
    requests = await ready.client.list("certificates.k8s.io/v1", "CertificateSigningRequest")
    approved = await kubectl(ready, "certificate", "approve", name_of(requests[0]))

    assert (0, True) == (drained[0], "node/worker-1 drained" in drained[1])
    assert (0, "node/worker-1 uncordoned\n") == uncordoned
    assert (0, True) == (approved[0], approved[1].rstrip().endswith("approved"))


async def test_objects_are_created_where_no_namespace_is_named(empty: Cluster) -> None:
    """Typed commands write protobuf, in which a namespace that is not set is empty."""
    empty.kubeconfig()
    made = [
        await kubectl(empty, "create", "cm", "prices", "--from-literal=tea=2"),
        await kubectl(empty, "create", "secret", "generic", "key", "--from-literal=pin=1234"),
        await kubectl(empty, "create", "sa", "robot"),
        await kubectl(empty, "create", "ns", "shop"),
        await kubectl(empty, "create", "cm", "stock", "-n", "shop"),
    ]
    read = await kubectl(empty, "get", "cm/prices", "secret/key", "-o", "jsonpath={.items[*].data}")

    assert [0, 0, 0, 0, 0] == [code for code, _ in made]
    assert "configmap/prices created\n" == made[0][1]
    assert '{"tea":"2"} {"pin":"MTIzNA=="}' == read[1]


async def test_kind_whose_protobuf_is_not_read_is_told_with_a_way(empty: Cluster) -> None:
    """What cannot be read makes nothing, and the error says what works."""
    empty.kubeconfig()
    code, said = await kubectl(empty, "create", "deployment", "web", "--image=nginx")

    assert 1 == code
    assert "the lab does not read the protobuf of this kind: `Deployment`; write it as YAML" in said
