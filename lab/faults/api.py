"""Faults of the Kubernetes API, as whoever asks an API server from outside sees them."""

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
        "Every answer of an API server is late by 3 s; a run takes longer and ends well.",
        "https://github.com/siderolabs/talos/issues/7603",
    ),
    _api(
        ApiFault.THROTTLED,
        "Requests are refused with 429 and `Retry-After: 1`, in the words of API priority and"
        " fairness. That exempts administrators, as who a run comes; a proxy before the API, which"
        " protects it, does not. Probes such as `/readyz` pass.",
        f"{_SOURCE}server/filters/priority-and-fairness.go",
        by_step("fetch-kubeconfig"),
        by_gate("lease-is-held"),
        by_diagnosis("api-throttled"),
    ),
    _api(
        ApiFault.CACHE_COLD,
        "Lists and watches are refused with 429, `Retry-After: 1` and `storage is"
        " (re)initializing`, as after the start of an API server whose caches are not filled yet.",
        f"{_SOURCE}storage/cacher/cacher.go",
        by_step("install-cni"),
        by_gate("nodes-are-registered"),
        by_diagnosis("api-cache-cold"),
    ),
    _api(
        ApiFault.LEADER_CHANGED,
        "Etcd elects a leader for 2 of every 15 seconds; requests fail meanwhile with 500 and"
        " `etcdserver: leader changed`, and a run tries again.",
        "https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go",
    ),
    _api(
        ApiFault.ETCD_TIMEOUT,
        "Etcd has no quorum: `/readyz` fails; creating fails after 7 s with 500 and `etcdserver:"
        " request timed out`, other changes and reads after 60 s with 504, lists and watches with"
        " 429 and `storage is (re)initializing`.",
        "https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go",
        by_gate("api-servers-are-ready"),
        by_diagnosis("api-etcd-failing"),
    ),
    _api(
        ApiFault.RESTARTING,
        "An API server ends (503, `apiserver is shutting down`), is gone for 8 s (connection"
        " refused), starts (503, `the request has been made before all known HTTP paths have been"
        " installed`) and serves for 30 s, again and again; a run tries again.",
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
        " anew.",
        "https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses",
    ),
    _api(
        ApiFault.RESET,
        "Of ten requests the connection of two is reset: of one before it is heard, of one, when it"
        " changes something, after that is done; a run tries again.",
        "https://github.com/kubernetes/kubernetes/issues/74412",
    ),
    _api(
        ApiFault.AGGREGATED_DOWN,
        "`metrics.k8s.io/v1beta1` is registered, and what serves it does not answer: discovery is"
        " incomplete, which a run does not need to be whole.",
        "https://github.com/helm/helm/issues/6361",
    ),
)
