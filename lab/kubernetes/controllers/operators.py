"""Small things that operators make once they run, and that other pods wait for."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable

from lab.kubernetes.controllers.bootstrap import make_open_crd
from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Object,
    maps,
    number,
    reference_of,
    text,
    texts,
)

__all__ = ["KindBringers", "Secretaries", "TalosAccounts"]

_ACCOUNTS = "serviceaccounts.talos.dev"
# By a part of the image: group, versions, and kinds with their plurals, cluster-scoped or not.
_BROUGHT_KINDS = (
    ("system-upgrade-controller", "upgrade.cattle.io", ("v1",), "Namespaced", "Plan/plans"),
    (
        "cilium/operator",
        "cilium.io",
        ("v2", "v2alpha1"),
        "Cluster",
        (
            "CiliumLoadBalancerIPPool/ciliumloadbalancerippools "
            "CiliumL2AnnouncementPolicy/ciliuml2announcementpolicies "
            "CiliumBGPClusterConfig/ciliumbgpclusterconfigs "
            "CiliumBGPPeerConfig/ciliumbgppeerconfigs "
            "CiliumBGPAdvertisement/ciliumbgpadvertisements "
            "CiliumClusterwideNetworkPolicy/ciliumclusterwidenetworkpolicies "
            "CiliumClusterwideEnvoyConfig/ciliumclusterwideenvoyconfigs "
            "CiliumCIDRGroup/ciliumcidrgroups "
            "CiliumEgressGatewayPolicy/ciliumegressgatewaypolicies"
        ),
    ),
    (
        "cilium/operator",
        "cilium.io",
        ("v2",),
        "Namespaced",
        (
            "CiliumNetworkPolicy/ciliumnetworkpolicies CiliumEnvoyConfig/ciliumenvoyconfigs "
            "CiliumLocalRedirectPolicy/ciliumlocalredirectpolicies"
        ),
    ),
)


class Secretaries:
    """Secrets that a running Deployment or a finished Job makes: MetalLB's, certgen's."""

    resources = frozenset({"deployments.apps", "jobs.batch"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """Whoever runs or is done."""
        ready = number(change.object, "status", "readyReplicas")
        if ready or number(change.object, "status", "succeeded"):
            yield change.place

    def reconcile(self, place: Place) -> None:
        """Make the Secret that a container's arguments or environment name."""
        owner = self._world.find(place)
        for container in maps(owner, "spec", "template", "spec", "containers") if owner else ():
            for variable in maps(container, "env"):
                if text(variable, "name") == "METALLB_ML_SECRET_NAME":
                    self._plant(place.namespace, text(variable, "value"), "secretkey")
            for argument in texts(container, "args"):
                if argument.startswith("--secret-name="):
                    self._plant(place.namespace, argument.partition("=")[2], "cert")

    def _plant(self, namespace: str, name: str, key: str) -> None:
        value = base64.b64encode(secrets.token_bytes(32)).decode()
        metadata: Object = {"name": name, "namespace": namespace}
        self._world.plant(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {key: value}}
        )


class KindBringers:
    """CRDs that a controller registers itself when it starts, not its chart.

    system-upgrade-controller does so (rancher/system-upgrade-controller,
    pkg/upgrade/controller.go), so its Plans are unknown until it runs, and Cilium's operator
    (cilium, pkg/k8s/apis/cilium.io/client/register.go).
    """

    resources = frozenset({"deployments.apps"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """Whoever runs."""
        if number(change.object, "status", "readyReplicas"):
            yield change.place

    def reconcile(self, place: Place) -> None:
        """Create the CRDs that go with an image."""
        owner = self._world.find(place)
        for container in maps(owner, "spec", "template", "spec", "containers") if owner else ():
            for part, group, versions, scope, kinds in _BROUGHT_KINDS:
                if part not in text(container, "image"):
                    continue
                for kind, _, plural in (word.partition("/") for word in kinds.split()):
                    crd = make_open_crd(group, versions, kind, plural, scope=scope)
                    self._world.plant(crd)


class TalosAccounts:
    """Talos: each of its ServiceAccounts gets a Secret of its name with a talosconfig.

    `kubernetesTalosAPIAccess` serves the kind (internal/app/machined/pkg/controllers/kubeaccess);
    the talosconfig here opens nothing.
    """

    resources = frozenset({_ACCOUNTS})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """Each of them."""
        yield change.place

    def reconcile(self, place: Place) -> None:
        """Make the Secret; it goes with its account."""
        account = self._world.find(place)
        if account is None:
            return
        self._world.plant(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": place.name,
                    "namespace": place.namespace,
                    "ownerReferences": [reference_of(account)],
                },
                "data": {"config": base64.b64encode(b"context: lab\n").decode()},
            }
        )
