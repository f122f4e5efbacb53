"""Faults of the Kubernetes API, for whoever asks it: from outside, or in the cluster."""

from __future__ import annotations

from lab.faults.answers import by_diagnosis, by_gate, by_step
from lab.faults.values import Answer, Hands, RunningFault, Strike, Target
from lab.kubernetes.ailing import ApiFault

__all__ = ["API_FAULTS"]

_SOURCE = "https://github.com/kubernetes/apiserver/blob/master/pkg/"


def _strike(fault: ApiFault) -> Strike:
    def strike(hands: Hands, target: str, on: bool) -> None:  # noqa: FBT001 (a `Strike`)
        hands.kubernetes.set_fault(target, fault, on=on)

    return strike


def _api(fault: ApiFault, does: str, origin: str, *answers: Answer) -> RunningFault:
    return RunningFault(fault.value, Target.API, does, origin, _strike(fault), answers)


API_FAULTS = (
    _api(
        ApiFault.SLOW,
        "Every answer of an API server is late by 1 s, also to controllers, kubelets and Flux, each"
        " step of which takes as much longer; a run takes longer and ends well.",
        "https://github.com/siderolabs/talos/issues/7603",
    ),
    _api(
        ApiFault.THROTTLED,
        "Requests are refused with 429 and `Retry-After: 1`, in the words of API priority and"
        " fairness. That exempts administrators, as who a run comes; a proxy before the API, which"
        " protects it, does not. Probes such as `/readyz` pass. In the cluster it strikes whom the"
        " level workload-low has: Flux and operators. Flux tries a request ten times, then the"
        " reconciliation again; after 30 s it cannot renew its Lease, ends and is started again.",
        f"{_SOURCE}server/filters/priority-and-fairness.go",
        by_step("fetch-kubeconfig"),
        by_gate("lease-is-held"),
        by_diagnosis("api-throttled"),
    ),
    _api(
        ApiFault.CACHE_COLD,
        "Lists and watches are refused with 429, `Retry-After: 1` and `storage is"
        " (re)initializing`, as after the start of an API server whose caches are not filled yet."
        " Controllers, kubelets and Flux hear of no change meanwhile.",
        f"{_SOURCE}storage/cacher/cacher.go",
        by_step("install-cni"),
        by_gate("nodes-are-registered"),
        by_diagnosis("api-cache-cold"),
    ),
    _api(
        ApiFault.LEADER_CHANGED,
        "Etcd elects a leader for 2 of every 15 seconds; requests fail meanwhile with 500 and"
        " `etcdserver: leader changed`, and a run tries again. So do controllers and kubelets;"
        " what Flux does just then fails until its next attempt.",
        "https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go",
    ),
    _api(
        ApiFault.ETCD_TIMEOUT,
        "Etcd has no quorum: `/readyz` fails; creating fails after 7 s with 500 and `etcdserver:"
        " request timed out`, other changes and reads after 60 s with 504, lists and watches with"
        " 429 and `storage is (re)initializing`. Nothing goes on in the cluster;"
        " kube-controller-manager and kube-scheduler end after 10 s, for want of their Leases, Flux"
        " after 30 s.",
        "https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go",
        by_gate("api-servers-are-ready"),
        by_diagnosis("api-etcd-failing"),
    ),
    _api(
        ApiFault.RESTARTING,
        "An API server ends (503, `apiserver is shutting down`), is gone for 8 s (connection"
        " refused), starts (503, `the request has been made before all known HTTP paths have been"
        " installed`) and serves for 2 min, again and again; a run tries again. With the only API"
        " server kube-controller-manager and kube-scheduler lose their Leases each time, end, and"
        " lead again 15 s after it is back; kubelet starts them later each time.",
        f"{_SOURCE}util/notfoundhandler/not_found_handler.go",
    ),
    _api(
        ApiFault.WATCH_CUT,
        "The connection of a watch is reset after 5 s, in the middle of a line; a run lists and"
        " watches anew.",
        "https://kubernetes.io/docs/reference/using-api/api-concepts/"
        "#efficient-detection-of-changes",
    ),
    _api(
        ApiFault.WATCH_GONE,
        "A watch ends after 5 s with 410, `too old resource version`; a run lists and watches"
        " anew. Controllers, kubelets and Flux do that after waits that grow from 0.8 s to 30 s,"
        " and hear of no change meanwhile.",
        "https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses",
    ),
    _api(
        ApiFault.RESET,
        "Of ten requests the connection of two is reset: of one before it is heard, of one, when it"
        " changes something, after that is done; a run tries again.",
        "https://github.com/kubernetes/kubernetes/issues/74412",
    ),
    _api(
        ApiFault.HANGING,
        "An API server takes connections and answers nothing, as a process that is stuck. Of"
        " three, the ill one is missed by its own machine: its kubelet goes on to ask it, so the"
        " node is `NodeStatusUnknown` after 50 s, and its pods are on their way out 5 min later;"
        " where its kube-controller-manager or kube-scheduler led, another one does after 25 s."
        " With the only one nothing goes on in the cluster.",
        "https://github.com/siderolabs/go-loadbalancer/blob/main/loadbalancer/node.go",
        by_step("install-cni"),
        by_gate("api-servers-are-ready"),
        by_diagnosis("api-hanging"),
    ),
    _api(
        ApiFault.AGGREGATED_DOWN,
        "`metrics.k8s.io/v1beta1` is registered, and what serves it does not answer: discovery is"
        " incomplete, which a run does not need to be whole. Namespaces that are deleted are"
        " emptied, and stay with `NamespaceDeletionDiscoveryFailure`.",
        "https://github.com/helm/helm/issues/6361",
    ),
)
