"""How long things take in the lab's Kubernetes, in simulated seconds, in one place.

They are honest orders of magnitude for a small cluster on ordinary disks and a home uplink, so
that a rehearsal's timing says something; none is exact.
"""

from __future__ import annotations

__all__ = [
    "APISERVER_START_S",
    "CERTIFICATE_ISSUE_S",
    "CRD_ESTABLISH_S",
    "CREATE_AGAIN_S",
    "CSR_FIRST_RETRY_S",
    "CSR_KEPT_S",
    "CSR_LONGEST_RETRY_S",
    "CSR_SIGN_S",
    "DATABASE_PROMOTE_S",
    "IMAGE_PULL_S",
    "IN_CLUSTER_APPROVAL_S",
    "JOB_RUN_S",
    "KUBELET_REGISTER_S",
    "LOAD_BALANCER_S",
    "NODE_GRACE_S",
    "NODE_INITIALIZE_S",
    "NODE_LEASE_S",
    "OPERATOR_START_S",
    "POD_READY_S",
    "POD_START_S",
    "POD_STOP_S",
    "PROGRESS_DEADLINE_S",
    "REBUILD_BYTES_PER_S",
    "REPLENISH_S",
    "UNREACHABLE_STAY_S",
    "VOLUME_PROVISION_S",
    "WEBHOOK_LAG_S",
]

# From kube-apiserver's start (which the machine waits for) to a good /readyz.
APISERVER_START_S = 4.0
# Until a controller tries again to create a pod that was refused; its waits begin far below that
# and grow. Estimate.
CREATE_AGAIN_S = 10.0
# From a reachable API server to a registered Node.
KUBELET_REGISTER_S = 3.0
# nodeLeaseDurationSeconds is 40, renewed each quarter of it.
NODE_LEASE_S = 10.0
# What kube-controller-manager waits for a silent kubelet (--node-monitor-grace-period, 50 s since
# Kubernetes 1.32), and pods stay on a node that is not reached unless they say otherwise
# (--default-unreachable-toleration-seconds of kube-apiserver).
NODE_GRACE_S = 50.0
UNREACHABLE_STAY_S = 300
# kubelet asks for its serving certificate, then again with back-off while nothing is issued
# (k8s.io/client-go/util/certificate: 2 s doubling; a request is waited for up to 15 min, which
# is what makes several pending requests a node normal).
CSR_FIRST_RETRY_S = 120.0
CSR_LONGEST_RETRY_S = 900.0
CSR_SIGN_S = 0.5
# pkg/controller/certificates/cleaner: pending requests are kept for a day.
CSR_KEPT_S = 86400.0
# Approvers reconcile at once; kubelet-csr-approver resolves names then.
IN_CLUSTER_APPROVAL_S = 1.0
# talos-cloud-controller-manager asks the node's Talos API. Estimate.
NODE_INITIALIZE_S = 1.0
# Typically 50 to 150 MB compressed at 100 Mbit/s.
IMAGE_PULL_S = 8.0
# Sandbox, CNI call, container start.
POD_START_S = 1.5
# First successful readiness probe: initialDelay plus one period of most charts.
POD_READY_S = 3.0
# A process that stops on SIGTERM.
POD_STOP_S = 2.0
# A Job's own work (Helm hooks, migrations).
JOB_RUN_S = 4.0
# apiextensions: names accepted, then the handler is served.
CRD_ESTABLISH_S = 0.5
# external-provisioner plus Longhorn's volume creation.
VOLUME_PROVISION_S = 4.0
# MetalLB's controller.
LOAD_BALANCER_S = 0.5
# cert-manager's cainjector puts the CA bundle some seconds after the webhook's pod is Ready.
WEBHOOK_LAG_S = 5.0
# An issued certificate from an issuer that needs no outside world.
CERTIFICATE_ISSUE_S = 3.0
# An operator deploying what it owns, after its own pod is Ready.
OPERATOR_START_S = 2.0
# Deployment.spec.progressDeadlineSeconds' default.
PROGRESS_DEADLINE_S = 600.0
# Longhorn's rebuild of a replica, which copies all data and compares checksums: 38.8 GiB in 648 s
# from SSD to SSD at 10 Gbit/s (longhorn/longhorn#1948), 15 GB in 6 minutes at 1 Gbit/s (#2053).
REBUILD_BYTES_PER_S = 60 * 2**20
# Longhorn's setting replica-replenishment-wait-interval, as it is unless set: how long a failed
# replica may come back before another one is made elsewhere.
REPLENISH_S = 600.0
# From the choice of another primary of a PostgreSQL database to its promotion. CloudNativePG waits
# until no replica receives any more, which takes its wal_receiver_timeout of 5 s where the old
# primary is gone; a shutdown in order takes about as long. Estimate.
DATABASE_PROMOTE_S = 5.0
