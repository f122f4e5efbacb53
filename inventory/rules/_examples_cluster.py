"""Examples of findings about machines, secrets and upgrades; each begins with `=== id`."""

from __future__ import annotations

CLUSTER = """
=== no-nodes
nodes: []
=== undefined-talos-variable
ipAddress: ${MASTER2IP_IP}     # clusterenv.yaml has MASTER1IP only
=== duplicate-node
nodes:
  - {hostname: k8s-1, ipAddress: 10.0.0.11}
  - {hostname: k8s-2, ipAddress: 10.0.0.11}
=== clusterenv-refused
VIP: 10.0.0.5
DASHBOARD_IP: 10.0.0.22      # and no HEADLAMP_IP
PORT: 8080                   # ClusterTool wants "8080"
=== vip-is-node
ipAddress: 10.0.0.10
networkInterfaces:
  - vip: {ip: 10.0.0.10}
=== vip-in-pool
VIP: 10.0.0.25
METALLB_RANGE: 10.0.0.20-10.0.0.60
=== node-in-pool
MASTER1IP: 10.0.0.21/24
METALLB_RANGE: 10.0.0.20-10.0.0.60
=== networks-overlap
clusterPodNets: [10.0.0.0/16]
nodes:
  - {hostname: k8s-1, ipAddress: 10.0.0.11}
=== even-control-planes
nodes:
  - {hostname: k8s-1, controlPlane: true}
  - {hostname: k8s-2, controlPlane: true}
=== no-install-disk
nodes:
  - hostname: k8s-1            # neither installDisk nor installDiskSelector
    ipAddress: 10.0.0.11
=== disk-by-size-only
installDiskSelector: {size: "<= 600GB"}
=== kubeprism-not-listening
# talos/patches/all.yaml
machine: {features: {kubePrism: {enabled: false}}}
# kube-system/cilium/app/helm-release.yaml
values: {k8sServiceHost: 127.0.0.1, k8sServicePort: 7445}
=== talos-api-not-allowed
# talos/patches/controlplane.yaml
kubernetesTalosAPIAccess: {enabled: true, allowedKubernetesNamespaces: [system-upgrade]}
# system/talos-backup/app/serviceaccount.yaml
apiVersion: talos.dev/v1alpha1
kind: ServiceAccount
metadata: {name: talos-backup, namespace: backup}
=== no-csr-approver
# talos/patches/all.yaml, and no kubelet-csr-approver in the repository
machine: {kubelet: {extraArgs: {rotate-server-certificates: "true"}}}
=== nodes-not-initialized
# talos/patches/all.yaml, and no externalCloudProvider.manifests
machine: {kubelet: {extraArgs: {cloud-provider: external}}}
=== user-namespaces-off
values:
  podOptions: {hostUsers: false}      # and no patch sets user.max_user_namespaces
=== vip-as-talos-endpoint
args: [upgrade-k8s, --endpoints=${VIP}]
=== generated-patches
patches:
  - "@./patches/all.yaml"      # the file is not in Git
=== plaintext-secret
# clusterenv.yaml, which .sops.yaml says must be encrypted
DOMAIN_TOKEN: readable
=== uncovered-secret
# apps/plex/app/claim.yaml, which no path_regex of .sops.yaml matches
kind: Secret
stringData: {claim: readable}
=== foreign-recipient
# .sops.yaml
age: age1new...
# plex.secret.yaml
sops: {age: [{recipient: age1old...}]}
=== unknown-recipient
# .sops.yaml
age: age1mine...
# plex.secret.yaml
sops: {age: [{recipient: age1mine...}, {recipient: age1lost...}]}
=== encrypted-without-rule
# apps/plex/app/claim.yaml, encrypted, but no path_regex of .sops.yaml matches it
sops: {age: [{recipient: age1mine...}]}
=== key-does-not-fit
invoke validate --age-key other.agekey      # none of the recipients in sops.age
=== file-does-not-decrypt
stringData: {claim: "ENC[...]", note: added by hand}      # SOPS' MAC no longer fits
=== decryption-missing
kind: Kustomization            # its folder holds claim.secret.yaml, encrypted by SOPS
spec: {path: ./apps/plex, prune: true, sourceRef: {kind: GitRepository, name: cluster}}
=== sops-key-in-tree
kind: Secret
metadata: {name: sops-age, namespace: flux-system}
=== two-upgraders
kind: Plan                     # of system-upgrade-controller, for talos
kind: TalosUpgrade             # of tuppr
=== drain-without-retry
kind: TalosUpgrade             # and Longhorn on more than one node
spec:
  policy: {waitForVolumeDetach: true}
=== upgrade-without-health-checks
kind: TalosUpgrade
spec:                          # no healthChecks, beside Longhorn on four nodes
  talos: {version: v1.13.9}
=== plan-fits-no-node
kind: Plan
spec:
  nodeSelector:
    matchExpressions:          # and no node-feature-discovery in the repository
      - {key: feature.node.kubernetes.io/system-os_release.ID, operator: In, values: [talos]}
=== unsupported-versions
talosVersion: v1.9.0
kubernetesVersion: v1.36.0     # Talos 1.9 runs 1.27 to 1.32
=== version-drift
# talconfig.yaml
talosVersion: v1.13.9
# upgradesettings.yaml
TALOS_VERSION: v1.13.6
=== unsupported-hop
# talconfig.yaml
kubernetesVersion: v1.33.4
# upgradesettings.yaml
KUBERNETES_VERSION: v1.36.4    # 1.34 and 1.35 are left out
=== tool-skew
# mise.toml, for a cluster with Talos 1.13
[tools]
talosctl = "1.15.1"
=== image-skew
image: registry.k8s.io/kubectl:v1.28.2      # the cluster runs 1.36
"""
