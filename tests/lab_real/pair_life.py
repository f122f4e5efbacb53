"""One cluster on a real kube-apiserver and etcd, from its beginning to its recovery."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.errors import ApiError
from lab.kubernetes.values import Object, dig, is_going, name_of, text
from lab.ledger import Ledger
from lab.ports import EtcdSeat, KubernetesPki
from lab.real import Programs, RealBackend, RealEtcd
from lab.snapshots import read_contents
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    PORT,
    Cluster,
    cni,
    condition,
    crd,
    deployment,
    make_pki,
)
from tests.lab_real.pair_admission import ask_webhook, be_forbidden, be_refused, settings
from tests.lab_real.pair_draining import Drained, drain_longhorn, drain_node
from tests.lab_real.real_processes import crash_programs

__all__ = ["NODE", "Tale", "tell"]

# An address of this process's own: etcd's ports are always the same.
LOOPBACK = f"127.43.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
SPEED = 50.0
# As talosctl's and talhelper's machine configs have it.
POD_SECURITY = json.dumps(
    [
        {
            "name": "PodSecurity",
            "configuration": {
                "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
                "kind": "PodSecurityConfiguration",
                "defaults": {"enforce": "baseline", "enforce-version": "latest"},
                "exemptions": {"namespaces": ["kube-system"]},
            },
        }
    ]
)
NODE = replace(
    CONTROL_PLANE,
    loopback=LOOPBACK,
    vip_loopback=LOOPBACK.replace("127.43", "127.42"),
    admission_control=POD_SECURITY,
)


@dataclass(frozen=True, slots=True)
class Tale:
    """What was seen, in this order."""

    version: str  # of the server at the VIP
    pod: Object
    refusal: str
    forbidden: Sequence[str]  # events about Deployments whose pods are not let in
    kubelet: Sequence[str]  # what comes of a wish for logs, without and with a certificate
    guarded: Sequence[str]  # what came of objects that a webhook judges
    drained: Drained  # a node, by the machine itself
    longhorn: tuple[bool, bool]  # what came of the eviction of its instance manager, twice
    outsider: Object  # what somebody changed who is no part of the lab, as controllers see it
    thing: Object  # a custom resource with the status that it was given
    left: Sequence[str]  # pods after their Deployment went, pods being deleted left out
    spaces: Sequence[str]  # after one was deleted that held something
    crashed: Sequence[str]  # programs that were killed, each by itself
    survivor: Object  # made after that
    keys: Sequence[str]  # of the snapshot
    secret: bytes  # as it lies in etcd
    recovered: Mapping[str, bool]  # which ConfigMaps there are after the recovery
    pods_again: Sequence[str]  # that became Ready after the recovery


async def tell(programs: Programs, folder: Path) -> Tale:
    """Begin, use, save, go on, lose, recover."""
    clock = LabClock(Ledger(), speed=SPEED)
    etcd = RealEtcd(programs, folder / "etcd")
    plane = Kubernetes(clock, backend=RealBackend(clock, programs, folder / "api", port=PORT))
    pki = make_whole_pki()
    cluster = Cluster(plane, plane.client, clock.ledger, pki, folder)
    seat = EtcdSeat(NODE.name, LOOPBACK, pki.etcd_ca_crt, pki.etcd_ca_key)
    try:
        async with asyncio.timeout(120):
            await etcd.form(seat, None)
            await plane.create(pki)
            return await use(cluster, etcd, seat)
    finally:
        await plane.close()
        await etcd.close()


def make_whole_pki() -> KubernetesPki:
    """A PKI as a machine config has it."""
    kubernetes, etcd, accounts = make_pki(), make_pki(), make_pki()
    return replace(
        kubernetes,
        etcd_ca_crt=etcd.ca_crt,
        etcd_ca_key=etcd.ca_key,
        service_account_key=accounts.ca_key,
        secretbox="c2VjcmV0Ym94IG9mIHRoaXJ0eS10d28gYnl0ZXMuLi4=",
    )


async def use(cluster: Cluster, etcd: RealEtcd, seat: EtcdSeat) -> Tale:
    """Use the cluster in every way that the lab does, and recover it at the end."""
    plane, client = cluster.plane, cluster.client
    await plane.start_apiserver(NODE)
    await plane.start_kubelet(NODE)
    version = await ask_version(cluster)
    await client.apply(cni(), manager="test")
    await cluster.see("v1", "Node", NODE.name).until(lambda obj: condition(obj, "Ready") == "True")
    await client.create(tolerant_deployment())
    pod = await find_ready_pod(cluster)
    kubelet = await ask_kubelet(cluster, name_of(pod))
    refusal = await be_refused(cluster)
    forbidden = await be_forbidden(cluster)
    guarded = await ask_webhook(cluster)
    drained = await drain_node(cluster, NODE.name, pod)
    longhorn = await drain_longhorn(cluster, NODE.name)
    pod = await find_ready_pod(cluster)
    outsider = await let_outsider_write(cluster)
    thing = await make_thing(cluster)
    await client.create(settings("before"))
    await client.create(secret())
    saved = await etcd.take_snapshot(seat.name)
    keys = read_contents(saved).keys
    left = await delete_deployment(cluster)
    spaces = await delete_namespace(cluster)
    crashed = crash_programs(cluster.folder)
    survivor = await create_patiently(cluster, settings("survivor"))
    await client.create(settings("after"))
    await plane.stop_apiserver(NODE.name)
    await plane.stop_kubelet(NODE.name)
    await etcd.wipe(seat.name)
    await etcd.form(seat, saved)
    await plane.restore(cluster.pki, ())
    await plane.start_apiserver(NODE)
    await plane.start_kubelet(NODE)
    recovered = {
        name: await client.find("v1", "ConfigMap", name, "default") is not None
        for name in ("before", "after")
    }
    again = await find_ready_pod(cluster)
    return Tale(
        version=version,
        pod=pod,
        refusal=refusal,
        forbidden=forbidden,
        kubelet=kubelet,
        guarded=guarded,
        drained=drained,
        longhorn=longhorn,
        outsider=outsider,
        thing=thing,
        left=left,
        spaces=spaces,
        crashed=crashed,
        survivor=survivor,
        keys=[key.key for key in keys],
        secret=next(key.value for key in keys if key.key.endswith("/secrets/default/hidden")),
        recovered=recovered,
        pods_again=[name_of(again)],
    )


async def create_patiently(cluster: Cluster, obj: Object) -> Object:
    """Create an object as a client does that tries again while no API server answers."""
    while True:
        try:
            return await cluster.client.create(obj)
        except ApiError:
            await asyncio.sleep(0.2)


def secret() -> Object:
    """A Secret that is to be found nowhere on the disk."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hidden", "namespace": "default"},
        "stringData": {"word": "abracadabra"},
    }


def tolerant_deployment() -> Object:
    """A Deployment that runs on a control plane, too."""
    made = deployment("web")
    pod = dig(made, "spec", "template", "spec")
    assert isinstance(pod, dict)
    pod["tolerations"] = [{"operator": "Exists"}]
    return made


async def ask_version(cluster: Cluster) -> str:
    """Ask the server for its version, at the VIP."""
    url = f"https://{NODE.vip_loopback}:{PORT}"
    async with httpx2.AsyncClient(base_url=url, verify=cluster.client_context()) as http:
        return str((await http.get("/version")).json()["gitVersion"])


async def ask_kubelet(cluster: Cluster, pod: str) -> Sequence[str]:
    """Ask for a pod's logs, and to execute in it, before and after its kubelet can serve."""
    path = f"/api/v1/namespaces/default/pods/{pod}"
    url, context = f"https://{LOOPBACK}:{PORT}", cluster.client_context()
    async with httpx2.AsyncClient(base_url=url, verify=context) as http:
        before = await http.get(f"{path}/log")
        await approve_serving(cluster, http)
        after = await http.get(f"{path}/log")
        upgrade = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        executed = await http.post(f"{path}/exec?command=ls&stdout=1", headers=upgrade)
        proxied = await http.get(f"/api/v1/nodes/{NODE.name}/proxy/healthz")
    return [before.text, after.text, executed.text, proxied.text]


async def approve_serving(cluster: Cluster, http: httpx2.AsyncClient) -> None:
    """Approve the node's request for its kubelet's certificate, and wait for that."""
    kind = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    (request,) = await cluster.client.list(*kind)
    condition: Object = {"type": "Approved", "status": "True", "reason": "Test", "message": "ok"}
    approved = {**request, "status": {"conditions": [condition]}}
    path = f"/apis/{kind[0]}/certificatesigningrequests/{name_of(request)}/approval"
    answer = await http.put(path, json=approved)
    assert 200 == answer.status_code, answer.text
    issued = cluster.see(*kind, name_of(request))
    await issued.until(lambda obj: bool(text(obj, "status", "certificate")))


async def find_ready_pod(cluster: Cluster) -> Object:
    """Wait for a pod of the Deployment to be Ready."""
    async for event in cluster.client.watch("v1", "Pod", "default", labels="app=web"):
        if condition(event.object, "Ready") == "True" and not is_going(event.object):
            return event.object
    raise AssertionError("no pod")


async def let_outsider_write(cluster: Cluster) -> Object:
    """Label the node over HTTP, and wait for the lab to see it."""
    async with httpx2.AsyncClient(
        base_url=f"https://{LOOPBACK}:{PORT}", verify=cluster.client_context()
    ) as http:
        answer = await http.patch(
            f"/api/v1/nodes/{NODE.name}",
            json={"metadata": {"labels": {"outside": "yes"}}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert 200 == answer.status_code, answer.text
    watcher = cluster.see("v1", "Node", NODE.name)
    return await watcher.until(lambda obj: text(obj, "metadata", "labels", "outside") == "yes")


async def make_thing(cluster: Cluster) -> Object:
    """Make a kind, and an object of it with a status."""
    await cluster.client.create(crd())
    established = cluster.see(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.org"
    )
    await established.until(lambda obj: condition(obj, "Established") == "True")
    thing: Object = {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": "t", "namespace": "default"},
    }
    await cluster.client.apply(thing, manager="test")
    await cluster.client.update_status({**thing, "status": {"seen": True}})
    return await cluster.client.get("example.org/v1", "Thing", "t", "default")


async def delete_deployment(cluster: Cluster) -> Sequence[str]:
    """Delete the Deployment; its ReplicaSet and pods go with it."""
    pod = name_of(await find_ready_pod(cluster))
    await cluster.client.delete("apps/v1", "Deployment", "web", "default")
    await cluster.see("v1", "Pod", pod, "default").until_gone()
    pods = await cluster.client.list("v1", "Pod", "default")
    return [name_of(pod) for pod in pods if not is_going(pod)]


async def delete_namespace(cluster: Cluster) -> Sequence[str]:
    """Delete a namespace that holds something."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brief"}}
    await cluster.client.create(space)
    content = settings("content")
    content["metadata"] = {"name": "content", "namespace": "brief"}
    await cluster.client.create(content)
    await cluster.client.delete("v1", "Namespace", "brief")
    await cluster.see("v1", "Namespace", "brief").until_gone()
    return [name_of(item) for item in await cluster.client.list("v1", "Namespace")]
