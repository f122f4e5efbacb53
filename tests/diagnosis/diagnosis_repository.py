"""A cluster repository in which every component is broken in a way of its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import yaml

from lab.kubernetes.values import Json, Object, grow

__all__ = [
    "CHARTS",
    "URL",
    "Components",
    "make_fault_component",
    "make_source_component",
    "write_repository",
]

URL = "ssh://git@git.lab.example/broken.git"
CHARTS = ("app-template", "metallb")
VERSION = "1.2.3"
_TREE = Path("clusters/main/kubernetes")

# By name: what the Kustomization's spec adds, and what it applies.
Components: TypeAlias = "Mapping[str, tuple[Object, Sequence[Object]]]"


def write_repository(root: Path, components: Components | None = None) -> None:
    """Write the tree: one layer a component, so that each can be asked about alone."""
    written = _COMPONENTS if components is None else components
    names = [*written]
    _write(root / _TREE / "kustomization.yaml", _kustomize([*names]))
    _write(root / _TREE / "flux-entry.yaml", _ks("flux-entry", f"./{_TREE}"))
    for name, (spec, objects) in written.items():
        folder = root / _TREE / name
        _write(folder / "kustomization.yaml", _kustomize([f"{name}/ks.yaml"]))
        _write(folder / name / "ks.yaml", _ks(name, f"./{_TREE}/{name}/{name}/app", **spec))
        for number, obj in enumerate(objects):
            _write(folder / name / "app" / f"object-{number}.yaml", obj)
        files: list[str] = [f"object-{number}.yaml" for number in range(len(objects))]
        _write(folder / name / "app" / "kustomization.yaml", _kustomize(files))


def _write(path: Path, content: Object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _kustomize(resources: Sequence[str]) -> Object:
    listed: list[Json] = [*resources]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": listed,
    }


def _ks(name: str, path: str, **spec: Json) -> Object:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "interval": "1h",
            "retryInterval": "10s",
            "path": path,
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": "cluster"},
            **spec,
        },
    }


def _release(
    name: str, chart: str = "app-template", version: str = VERSION, **spec: Json
) -> Object:
    reference: Object = {"kind": "HelmRepository", "name": "charts", "namespace": "flux-system"}
    chosen: Object = {"spec": {"chart": chart, "version": version, "sourceRef": reference}}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": name},
        "spec": {"interval": "1h", "timeout": "1m", "chart": chosen, **spec},
    }


def _app(name: str, **container: Json) -> Object:
    """A Deployment of one container."""
    labels: Object = {"app": name}
    image: Object = {"name": "app", "image": f"ghcr.io/example/{name}:1.0.0"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": name},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {"containers": [{**image, **container}]},
            },
        },
    }


def _namespace(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    }


def _image(repository: str) -> Object:
    image: Object = {"repository": repository, "tag": "1.4.0"}
    return {"controllers": {"main": {"containers": {"app": {"image": image}}}}}


def _secret_of(name: str) -> Object:
    reference: Object = {"name": name, "key": "password"}
    return {"name": "PASSWORD", "valueFrom": {"secretKeyRef": reference}}


def _depends_on(*names: str) -> Object:
    dependencies: list[Json] = [{"name": name} for name in names]
    return {"dependsOn": dependencies}


_CLAIM: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "unclassed"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def _mounting(app: Object) -> Object:
    template = app["spec"]
    assert isinstance(template, dict)
    pod = template["template"]
    assert isinstance(pod, dict)
    spec = pod["spec"]
    assert isinstance(spec, dict)
    spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    return app


_POOL: Object = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "IPAddressPool",
    "metadata": {"name": "main", "namespace": "metallb"},
    "spec": {"addresses": ["10.44.0.200-10.44.0.220"]},
}

_HOOK: Object = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "guard"},
    "webhooks": [
        {
            "name": "guard.lab.example",
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"name": "guarded"}},
            "clientConfig": {"service": {"name": "guard", "namespace": "guard", "path": "/check"}},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["configmaps"],
                }
            ],
        }
    ],
}
_HOOK_SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "guard", "namespace": "guard"},
    "spec": {"selector": {"app": "guard"}, "ports": [{"port": 443}]},
}
_GUARDED: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "guarded", "namespace": "guarded"},
}
_BALANCED: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "front", "namespace": "balanced"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "front"}, "ports": [{"port": 80}]},
}
_REMEDIED: Object = {"remediation": {"retries": 1, "remediateLastFailure": True}}
_LEFT: Object = {"remediation": {"retries": 0}}


def make_fault_component(name: str, *, is_webhook: bool) -> Components:
    """Make what a fault can strike: an app, and beside a webhook what that must judge."""
    app: Components = {name: ({}, [_namespace(name), _app(name)])}
    if not is_webhook:
        return app
    return {
        name: ({}, [_namespace(name), _make_hook(name), _make_service(name), _app(name)]),
        f"{name}-guarded": (_depends_on(name), [_namespace(f"{name}-guarded"), _guarded_by(name)]),
    }


def make_source_component(name: str) -> Components:
    """Make a source of its own, and beside it what is built from that."""
    source: Object = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": URL, "ref": {"branch": "main"}},
    }
    built_from: Object = {"sourceRef": {"kind": "GitRepository", "name": name}}
    return {name: ({}, [source]), f"{name}-guarded": (built_from, [_namespace(name)])}


def make_chart_component(name: str) -> Components:
    """Make a Helm repository of its own, served over HTTP, and a release of a chart of it."""
    repository: Object = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": "https://charts.example.com"},
    }
    release = _release(name)
    grow(release, "spec", "chart", "spec", "sourceRef")["name"] = name
    return {name: ({}, [_namespace(name), repository, release])}


def _make_hook(name: str) -> Object:
    hook = copy.deepcopy(_HOOK)
    hook["metadata"] = {"name": name}
    webhook = cast("list[Object]", hook["webhooks"])[0]
    webhook["name"] = f"{name}.lab.example"
    webhook["namespaceSelector"] = {"matchLabels": {"name": f"{name}-guarded"}}
    webhook["clientConfig"] = {"service": {"name": name, "namespace": name, "path": "/check"}}
    return hook


def _make_service(name: str) -> Object:
    spec: Object = {"selector": {"app": name}, "ports": [{"port": 443}]}
    return {**_HOOK_SERVICE, "metadata": {"name": name, "namespace": name}, "spec": spec}


def _guarded_by(name: str) -> Object:
    return {**_GUARDED, "metadata": {"name": "guarded", "namespace": f"{name}-guarded"}}


_COMPONENTS: Components = {
    "sound": ({}, [_namespace("sound"), _app("sound")]),
    "image": (
        {},
        [
            _namespace("image"),
            _release("image", values=_image("ghcr.io/example/unpullable"), install=_LEFT),
        ],
    ),
    "remedied": (
        {},
        [
            _namespace("remedied"),
            _release("remedied", values=_image("ghcr.io/example/unpullable"), install=_REMEDIED),
        ],
    ),
    "crash": ({}, [_namespace("crash"), _app("crash")]),
    "secret": ({}, [_namespace("secret"), _app("secret", env=[_secret_of("database")])]),
    "metallb": ({}, [_namespace("metallb"), _release("metallb", "metallb", suspend=True)]),
    "pools": ({}, [_POOL]),
    "values": (
        {},
        [
            _namespace("values"),
            _release("values", values={"controllers": {"main": {"containers": "none"}}}),
        ],
    ),
    "hen": (_depends_on("egg"), [_namespace("hen")]),
    "egg": (_depends_on("hen"), [_namespace("egg")]),
    "sourceless": (
        {"sourceRef": {"kind": "GitRepository", "name": "clutser"}},
        [_namespace("sourceless")],
    ),
    "chartless": (
        {},
        [
            _namespace("chartless"),
            _release("chartless", version="9.9.9"),
        ],
    ),
    "unclassed": ({}, [_namespace("unclassed"), _CLAIM, _mounting(_app("unclassed"))]),
    "patient": (_depends_on("waiter"), [_namespace("patient")]),
    "waiter": (_depends_on("typo"), [_namespace("waiter")]),
    "guard": (
        {},
        [
            _namespace("guard"),
            _HOOK,
            _HOOK_SERVICE,
            _app("guard", image="ghcr.io/example/unpullable-guard:2.0.0"),
        ],
    ),
    "guarded": (_depends_on("guard"), [_namespace("guarded"), _GUARDED]),
    "variables": (
        {"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]}},
        [_namespace("variables")],
    ),
    "balanced": ({}, [_namespace("balanced"), _BALANCED]),
}
