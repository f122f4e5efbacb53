"""How the lab makes a chart: its workloads, services, webhooks and CRDs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.charts.crds import Crd
from lab.kubernetes.values import Json, Object

__all__ = ["Recipe", "agent", "deploy", "run", "service", "webhook"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a chart.

    `crds_in` says where the definitions lie: `templates` (part of the release), `switch`
    (templates behind `crds.enabled` or `installCRDs`), or `crds` (Helm's own folder).
    """

    templates: tuple[str, ...] = ("access", "workloads", "webhooks")
    workloads: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    webhooks: tuple[Object, ...] = ()
    crds: tuple[Crd, ...] = ()
    crds_in: str = "templates"
    values: Mapping[str, Json] = field(default_factory=dict)


def run(kind: str, name: str, image: str, **more: Json) -> Object:
    """Describe a workload."""
    return {"kind": kind, "name": name, "image": image, **more}


def deploy(name: str, image: str, **more: Json) -> Object:
    """Describe a Deployment."""
    return run("Deployment", name, image, **more)


def agent(name: str, image: str, **more: Json) -> Object:
    """Describe a DaemonSet that runs on every node."""
    return run("DaemonSet", name, image, tolerateAll=True, **more)


def service(name: str, workload: str, port: int, target: int = 0) -> Object:
    """Describe a Service of a workload."""
    return {"name": name, "workload": workload, "port": port, "targetPort": target or port}


def webhook(name: str, service: str, path: str, resources: Mapping[str, str]) -> Object:
    """Describe a validating webhook; `resources` has the group of each."""
    groups: list[Json] = [*sorted(set(resources.values()))]
    return {
        "kind": "ValidatingWebhookConfiguration",
        "name": name,
        "hook": f"validate.{name}.lab.example",
        "service": service,
        "path": path,
        "groups": groups,
        "resources": [*resources],
    }
