"""`cluster.ClusterService`: the health check that a control plane runs over the whole cluster.

Checks, their order and texts: `pkg/cluster/check/default.go` of Talos v1.13.9; each is polled until
it holds or the caller's time is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import durations
from lab.machines.boot import Stage
from lab.machines.machine import Machine
from lab.machines.protos import cluster_pb2
from lab.machines.rpc.route import READERS, Call, Route, require_control_plane, stream

__all__ = ["ROUTES"]

_DEFAULT_TIMEOUT_S = 20 * 60.0  # of talosctl health


async def _check(
    call: Call, request: cluster_pb2.HealthCheckRequest
) -> AsyncIterator[cluster_pb2.HealthCheckProgress]:
    require_control_plane(call, "cluster health check")
    timeout_s = float(request.wait_timeout.seconds) or _DEFAULT_TIMEOUT_S
    nodes = _choose_nodes(call, request.cluster_info)
    listed = " ".join(f'"{node.spec.address}"' for node in nodes)
    yield cluster_pb2.HealthCheckProgress(message=f"discovered nodes: [{listed}]")
    # The caller's timeout is in its own seconds, which are the wall's.
    clock = call.machine.clock
    deadline_s = clock.elapsed_s() + timeout_s * clock.speed
    for what, check in _CHECKS:
        yield _report(what, "...")
        said = "..."
        while problem := check(call, nodes):
            if problem != said:
                yield _report(what, problem)
                said = problem
            if clock.elapsed_s() >= deadline_s:
                raise GRPCError(Status.DEADLINE_EXCEEDED, "context deadline exceeded")
            await clock.pause(durations.HEALTH_POLL_S)
        yield _report(what, "OK")


def _report(what: str, state: str) -> cluster_pb2.HealthCheckProgress:
    return cluster_pb2.HealthCheckProgress(message=f"waiting for {what}: {state}")


def _choose_nodes(call: Call, info: cluster_pb2.ClusterInfo) -> Sequence[Machine]:
    named = [*info.control_plane_nodes, *info.worker_nodes]
    if named:
        found = [call.table.find(name) for name in named]
        return [machine for machine in found if machine is not None]
    return [peer for peer in call.table.list_peers(call.machine) if peer.config is not None]


def _check_service(name: str, *, on_workers: bool) -> Callable[[Call, Sequence[Machine]], str]:
    def check(_call: Call, nodes: Sequence[Machine]) -> str:
        for node in nodes:
            if not on_workers and not node.is_control_plane:
                continue
            service = node.boot.services.get(name)
            if service is None or not node.is_reachable:
                return f'{node.spec.address}: service "{name}" not found'
            if not service.is_running:
                return (
                    f'{node.spec.address}: service "{name}" not in expected state "Running": '
                    f"current state [{service.state}]"
                )
            if service.health is False:
                return f"{node.spec.address}: service is not healthy: {name}"
        return ""

    return check


def _check_members(_call: Call, nodes: Sequence[Machine]) -> str:
    control_planes = [node for node in nodes if node.is_control_plane]
    lists = {
        frozenset(node.etcd.cluster.members) if node.etcd else frozenset()
        for node in control_planes
    }
    if len(lists) > 1:
        return "etcd member lists are not consistent"
    members = len(next(iter(lists), frozenset()))
    wanted = len(control_planes)
    return "" if members == wanted else f"expected {wanted} members, got {members}"


def _check_stages(_call: Call, nodes: Sequence[Machine]) -> str:
    waiting: dict[str, list[str]] = {}
    for node in nodes:
        if node.boot.stage is not Stage.RUNNING:
            waiting.setdefault(node.boot.stage.value, []).append(node.spec.address)
    texts = [f"{stage}: [{' '.join(names)}]" for stage, names in waiting.items()]
    return f"nodes are not running: {', '.join(texts)}" if texts else ""


def _check_reported(_call: Call, nodes: Sequence[Machine]) -> str:
    missing = [node.spec.address for node in nodes if node.boot.node_told is None]
    return f"can't find expected node(s) with IPs {_quote(missing)}" if missing else ""


def _check_static_pods(_call: Call, nodes: Sequence[Machine]) -> str:
    for node in nodes:
        if node.is_control_plane and not node.boot.apiserver_runs:
            return f"missing static pods on node {node.spec.address}: [kube-system/kube-apiserver]"
    return ""


def _check_ready(call: Call, nodes: Sequence[Machine]) -> str:
    plane = call.table.plane
    waiting = [node.hostname for node in nodes if not plane.is_node_ready(node.hostname)]
    return f"some nodes are not ready: {_quote(waiting)}" if waiting else ""


def _hold(_call: Call, _nodes: Sequence[Machine]) -> str:
    return ""


def _quote(names: Sequence[str]) -> str:
    return "[" + " ".join(f'"{name}"' for name in names) + "]"


_CHECKS: tuple[tuple[str, Callable[[Call, Sequence[Machine]], str]], ...] = (
    ("etcd to be healthy", _check_service("etcd", on_workers=False)),
    ("etcd members to be consistent across nodes", _check_members),
    ("etcd members to be control plane nodes", _check_members),
    ("apid to be ready", _check_service("apid", on_workers=True)),
    ("all nodes memory sizes", _hold),
    ("all nodes disk sizes", _hold),
    ("no diagnostics", _hold),
    ("kubelet to be healthy", _check_service("kubelet", on_workers=True)),
    ("all nodes to finish boot sequence", _check_stages),
    ("all k8s nodes to report", _check_reported),
    ("all control plane static pods to be running", _check_static_pods),
    ("all control plane components to be ready", _check_static_pods),
    ("all k8s nodes to report ready", _check_ready),
    ("kube-proxy to report ready", _hold),
    ("coredns to report ready", _hold),
    ("all k8s nodes to report schedulable", _hold),
)

ROUTES: tuple[Route, ...] = (
    stream(
        "/cluster.ClusterService/HealthCheck",
        READERS,
        (cluster_pb2.HealthCheckRequest, cluster_pb2.HealthCheckProgress),
        _check,
    ),
)
