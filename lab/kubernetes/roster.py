"""Which controllers a cluster runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.kubernetes.controllers.approvers import make_approvers
from lab.kubernetes.controllers.balancers import LoadBalancers
from lab.kubernetes.controllers.budgets import Budgets
from lab.kubernetes.controllers.certificates import CertManager
from lab.kubernetes.controllers.claims import Claims
from lab.kubernetes.controllers.cnpg import Databases
from lab.kubernetes.controllers.cnpg_backups import Backups
from lab.kubernetes.controllers.cnpg_poolers import Poolers
from lab.kubernetes.controllers.csrs import CertificateSigner
from lab.kubernetes.controllers.deployments import Deployments, ReplicaSets
from lab.kubernetes.controllers.housekeeping import CrdController, GarbageController
from lab.kubernetes.controllers.initializing import NodeInitializer
from lab.kubernetes.controllers.jobs import Jobs
from lab.kubernetes.controllers.kubelets import Kubelets
from lab.kubernetes.controllers.longhorn import Longhorn
from lab.kubernetes.controllers.manifests import BootstrapManifests
from lab.kubernetes.controllers.namespaces import NamespaceController
from lab.kubernetes.controllers.nodes import Nodes
from lab.kubernetes.controllers.operators import KindBringers, Secretaries, TalosAccounts
from lab.kubernetes.controllers.scheduling import Scheduler
from lab.kubernetes.controllers.services import Services
from lab.kubernetes.controllers.sets import DaemonSets, StatefulSets
from lab.kubernetes.controllers.volsync import Replications
from lab.kubernetes.controllers.world import Controller, World
from lab.kubernetes.inside import Insider

__all__ = ["find_insider", "make_controllers"]

# Who is not kube-controller-manager, kube-scheduler, or a service account of kube-system at the
# same level of priority and fairness.
_RUN_BY: Mapping[type, Insider] = {
    BootstrapManifests: Insider.SERVER,
    CrdController: Insider.SERVER,
    TalosAccounts: Insider.SERVER,
    Kubelets: Insider.KUBELET,
    **dict.fromkeys(
        (
            LoadBalancers,
            Claims,
            Longhorn,
            CertManager,
            Secretaries,
            KindBringers,
            Databases,
            Poolers,
            Backups,
            Replications,
        ),
        Insider.WORKLOAD,
    ),
}


def find_insider(controller: Controller) -> Insider:
    """Tell as whom a controller asks the API."""
    return _RUN_BY.get(type(controller), Insider.MANAGER)


def make_controllers(
    world: World, kubelets: Kubelets, own: Sequence[Controller]
) -> tuple[Controller, ...]:
    """Make every controller of a cluster; `own` are those of the API server itself."""
    return (
        NamespaceController(world),
        GarbageController(world),
        *own,
        Nodes(world),
        CertificateSigner(world),
        *make_approvers(world),
        NodeInitializer(world),
        Deployments(world),
        ReplicaSets(world),
        DaemonSets(world),
        StatefulSets(world),
        Jobs(world),
        Scheduler(world),
        kubelets,
        Services(world),
        LoadBalancers(world),
        Budgets(world),
        Claims(world),
        Longhorn(world),
        CertManager(world),
        Secretaries(world),
        KindBringers(world),
        TalosAccounts(world),
        Databases(world),
        Poolers(world),
        Backups(world),
        Replications(world),
    )
