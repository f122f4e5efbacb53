"""How long things take on a simulated machine, in simulated seconds, each with its origin.

"Estimate" means: the order of magnitude seen on ordinary server hardware and in Talos' own
documentation and issues, not a measurement of one machine.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "APID_RESTART_S",
    "BOOTSTRAP_TIME_SYNC_S",
    "BOOT_S",
    "CORDON_PATIENCE_S",
    "DRAIN_PATIENCE_S",
    "ETCD_JOIN_RETRY_S",
    "ETCD_JOIN_S",
    "ETCD_LEAVE_PATIENCE_S",
    "ETCD_LEAVE_RETRY_S",
    "ETCD_START_S",
    "EVICT_RETRY_S",
    "FAILED_SEQUENCE_S",
    "FAILURE_PAUSE_S",
    "HEALTH_POLL_S",
    "IMAGE_PULL_S",
    "INSTALL_S",
    "KUBELET_RESTART_S",
    "POD_GONE_PATIENCE_S",
    "POD_GONE_POLL_S",
    "SERVICES_START_S",
    "SLOW_BOOTSTRAP_S",
    "SLOW_INSTALL_FACTOR",
    "STATIC_PODS_S",
    "STATUS_POLL_S",
    "STOP_S",
    "UPGRADE_WRITE_S",
]

# apid loses its maintenance listener and returns with the cluster's certificates ("seconds of
# connection refused", facts/talos.md §3.2).
APID_RESTART_S: Final = 3.0
# Image pull of the installer (about 100 MB) and writing the disk: "tens of seconds to minutes".
INSTALL_S: Final = 40.0
# An installer or system extension image alone, on a good line. Estimate.
IMAGE_PULL_S: Final = 15.0
# Writing the other slot of an installed machine, image at hand. Estimate.
UPGRADE_WRITE_S: Final = 20.0
# Stopping services and unmounting before a reboot. Estimate.
STOP_S: Final = 4.0
# Firmware self test and kexec, until machined answers again. Estimate: small servers 30 to 90 s.
BOOT_S: Final = 60.0
# containerd, CRI and kubelet after machined. Estimate.
SERVICES_START_S: Final = 10.0
# etcd image pull and first election. Estimate.
ETCD_START_S: Final = 8.0
# Adding a member as learner, catching up, promotion. Estimate.
ETCD_JOIN_S: Final = 10.0
# Talos retries a failed join every few seconds (internal/pkg/etcd retry units). Estimate.
ETCD_JOIN_RETRY_S: Final = 3.0
# Leaving an unhealthy cluster is tried every 10 s for 5 min (internal/pkg/etcd, LeaveCluster).
ETCD_LEAVE_RETRY_S: Final = 10.0
ETCD_LEAVE_PATIENCE_S: Final = 5 * 60.0
# Stopping a kubelet and starting it with another image. Estimate.
KUBELET_RESTART_S: Final = 10.0
# kube-apiserver image pull and start as a static pod. Estimate.
STATIC_PODS_S: Final = 15.0
# What kube-controller-manager waits for a silent kubelet (--node-monitor-grace-period, 50 s since
# Kubernetes 1.32).
NODE_GRACE_S = 50.0
# How long a control plane that etcd does not hear keeps the VIP: the time to live of a session of
# etcd's `concurrency`, which Talos leaves as it is (`network/operator/vip.go`).
VIP_SESSION_S = 60.0
# The server gives the clock 5 s to be in sync before Bootstrap is refused (v1alpha1_server.go).
BOOTSTRAP_TIME_SYNC_S: Final = 5.0
# ClusterService/HealthCheck polls every 5 s (pkg/cluster/check).
HEALTH_POLL_S: Final = 5.0
# A failed sequence leaves time to read the console, then the machine reboots
# (FailurePauseTimeout, pkg/machinery/constants).
FAILURE_PAUSE_S: Final = 35 * 60.0
# A sequence that ends a boot and fails is told of for 10 s, then the machine reboots (`machined`).
FAILED_SEQUENCE_S: Final = 10.0
# How long a machine waits for its node to be cordoned (`waitForNodeCordoned`), then for all its
# pods to be evicted (`DrainTimeout`), asking a budget that forbids it every 5 s, and for each
# evicted pod to be gone, looking every 3 s (`pkg/kubernetes/kubernetes.go`).
CORDON_PATIENCE_S: Final = 60.0
DRAIN_PATIENCE_S: Final = 5 * 60.0
EVICT_RETRY_S: Final = 5.0
POD_GONE_PATIENCE_S: Final = 60.0
POD_GONE_POLL_S: Final = 3.0
# How often a machine looks at what nobody tells it: node readiness. Lab's choice.
STATUS_POLL_S: Final = 1.0
# Fault `slow-install`: a bad line to the registry.
SLOW_INSTALL_FACTOR: Final = 10.0
# Fault `slow-bootstrap`: the CRI service takes this long to become healthy.
SLOW_BOOTSTRAP_S: Final = 120.0
