"""The control plane's static pods: what the machine config makes of them, and how it changes.

Each has a config resource (`APIServerConfigs.kubernetes.talos.dev` and its like) whose version the
mirror pod carries as the annotation `talos.dev/config-version`: upgrade-k8s waits for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["COMPONENTS", "DEFAULT_KUBERNETES", "Component", "ComponentVersions"]

DEFAULT_KUBERNETES = "v1.36.3"  # of Talos 1.13.9
# Key in the machine config's `cluster`, and the component.
COMPONENTS: Mapping[str, str] = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}


@dataclass(frozen=True, slots=True)
class Component:
    """A static pod: its image and flags, by the config or by default."""

    name: str  # `kube-apiserver`
    image: str
    arguments: tuple[str, ...] = ()


class ComponentVersions:
    """Counts how often each component's config has changed since boot, from 1."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Component, int]] = {}

    def count(self, components: Sequence[Component]) -> Mapping[str, int]:
        """Note the components as they are now; return the version of each."""
        for component in components:
            last, version = self._known.get(component.name, (None, 0))
            if last != component:
                self._known[component.name] = (component, version + 1)
        return {name: version for name, (_, version) in self._known.items()}
