"""COSI resources about Kubernetes on a machine: kubelet, static pods and their configs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from lab.machines.components import DEFAULT_KUBERNETES
from lab.machines.machine import Machine
from lab.machines.protos import specs_pb2
from lab.machines.table import MachineTable
from lab.machines.values import Json, Value
from lab.manifests import make_manifests

__all__ = [
    "list_component",
    "list_kubelet_spec",
    "list_manifest_status",
    "list_manifests",
    "list_static_pods",
]

_TYPED: Mapping[str, Callable[[str], Message]] = {
    "kube-apiserver": lambda image: specs_pb2.APIServerConfigSpec(image=image),
    "kube-controller-manager": lambda image: specs_pb2.ControllerManagerConfigSpec(
        enabled=True, image=image
    ),
    "kube-scheduler": lambda image: specs_pb2.SchedulerConfigSpec(enabled=True, image=image),
}


def list_component(name: str) -> Callable[[Machine, MachineTable], Iterator[Value]]:
    """Make the source of one component's config, whose version its mirror pod carries."""

    def list_config(machine: Machine, _: MachineTable) -> Iterator[Value]:
        components = machine.config.components if machine.config else ()
        versions = machine.boot.components.count(components)
        for component in components:
            if component.name == name:
                spec: dict[str, Json] = {"image": component.image}
                if name != "kube-apiserver":
                    spec = {"enabled": True, **spec}
                spec["extraArgs"] = list(component.arguments)
                yield Value(name, spec, _TYPED[name](component.image), version=versions[name])

    return list_config


def list_static_pods(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """List the static pods that the kubelet is given."""
    for component in machine.config.components if machine.config else ():
        container: Json = {
            "name": component.name,
            "image": component.image,
            "command": [f"/usr/local/bin/{component.name}", *component.arguments],
        }
        pod: dict[str, Json] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": component.name, "namespace": "kube-system"},
            "spec": {"containers": [container], "hostNetwork": True},
        }
        packed = Struct()
        packed.update(pod)
        yield Value(component.name, pod, specs_pb2.StaticPodSpec(pod=packed))


def list_kubelet_spec(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """Describe the kubelet that runs."""
    if machine.config is not None and machine.boot.services.get("kubelet") is not None:
        config = machine.config
        image = config.kubelet_image or f"ghcr.io/siderolabs/kubelet:{DEFAULT_KUBERNETES}"
        arguments = [f"--hostname-override={machine.hostname}"]
        typed = specs_pb2.KubeletSpecSpec(image=image, args=arguments)
        yield Value("kubelet", {"image": image, "args": list(arguments)}, typed)


def list_manifests(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """List what Talos has the cluster contain, on a control plane."""
    config = machine.config
    if config is None or not config.is_control_plane or not machine.boot.services.is_up("cri"):
        return
    for manifest in make_manifests(config.manifests):
        typed = specs_pb2.ManifestSpec()
        for obj in manifest.objects:
            typed.items.add().object.update(obj)
        yield Value(manifest.id, [*manifest.objects], typed)


def list_manifest_status(machine: Machine, table: MachineTable) -> Iterator[Value]:
    """List the ids of the manifests once they were created."""
    if machine.boot.apiserver_runs and (
        applied := table.plane.list_applied_manifests(machine.hostname)
    ):
        typed = specs_pb2.ManifestStatusSpec(manifests_applied=applied)
        yield Value("manifests", {"manifestsApplied": [*applied]}, typed)
