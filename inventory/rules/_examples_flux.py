"""Examples of findings about Flux objects, CRDs, services and variables; each with `=== id`."""

from __future__ import annotations

FLUX = """
=== no-entry
clusters/main/kubernetes/      # holds apps, but no flux-entry.yaml reaches it
=== entry-named-twice
clusters/main/kubernetes/flux-entry.yaml      # Kustomization flux-entry
repositories/flux-entry.yaml                  # Kustomization flux-entry, too
=== entry-build-failed
# clusters/main/kubernetes/kustomization.yaml, the path of flux-entry
resources:
  - apps
  - games                      # does not exist: nothing at all is applied
=== entry-not-in-tree
# repositories/flux-entry.yaml, listed by no kustomization.yaml
kind: Kustomization
metadata: {name: flux-entry-repos, namespace: flux-system}
=== missing-source
chart:
  spec:
    chart: tuppr
    sourceRef: {kind: HelmRepository, name: home-operations}      # nobody declares it
=== unused-source
kind: HelmRepository
metadata: {name: old-charts}   # no release names it any more
=== source-url-refused
kind: HelmRepository
spec: {url: oci://ghcr.io/prometheus-community/charts}      # and no type: oci
=== source-defined-twice
repositories/helm/longhorn.yaml         HelmRepository/longhorn (live)
repositories/helm/longhorn-old.yaml     HelmRepository/longhorn
=== missing-values-source
valuesFrom:
  - {kind: ConfigMap, name: plex-values}        # no live manifest makes it
=== generated-name-missed
configMapGenerator:
  - {name: plex-values, files: [values.yaml]}      # becomes plex-values-4h2mbtbbt6
# and in the HelmRelease
valuesFrom: [{kind: ConfigMap, name: plex-values}]
=== missing-issuer
integrations: {certManager: {enabled: true, certificateIssuer: cloudflared}}      # is not live
=== missing-dependency
dependsOn:
  - name: longhorn-system      # the Kustomization is called longhorn
=== dependency-cycle
longhorn:             dependsOn: [{name: snapshot-controller}]
snapshot-controller:  dependsOn: [{name: longhorn}]
=== cold-start-cycle
longhorn:             holds a VolumeSnapshotClass, whose CRD snapshot-controller brings
snapshot-controller:  dependsOn: [{name: longhorn}]
=== namespace-not-declared
kind: HelmRelease
metadata: {name: cert-manager, namespace: cert-manager}      # and no Namespace/cert-manager
=== no-namespace
kind: ConfigMap                # and no targetNamespace in the Kustomization
metadata: {name: plex-settings}
=== layer-not-listed
clusters/main/kubernetes/
  kustomization.yaml           # resources: [core, apps]
  system/                      # holds ks.yaml files that nobody reads
=== dead-object
resources:
  # - plex/ks.yaml             # apps/plex/ks.yaml is still on disk
=== suspended
spec:
  suspend: true
=== name-differs-from-directory
# apps/notifiarr/ks.yaml
metadata: {name: notfiarr}
=== removed-api-version
apiVersion: policy/v1beta1     # not served since Kubernetes 1.25
kind: PodDisruptionBudget
=== unpinned-version
chart:
  spec: {chart: plex, version: 17.x}
=== crd-beside-release
# system/longhorn/app/kustomization.yaml
resources:
  - helm-release.yaml          # brings the CRD RecurringJob
  - recurring-job.yaml         # is refused until the CRD exists, and with it the release
=== crd-in-entry
# clusters/main/kubernetes/kustomization.yaml, the entry's own build
resources:
  - cluster-policy.yaml        # ClusterPolicy, whose CRD the component kyverno brings
=== crd-order-not-declared
# core/clusterissuer holds a ClusterIssuer
spec:
  path: clusters/main/kubernetes/core/clusterissuer/app      # and no dependsOn cert-manager
=== provider-not-live
kind: ClusterPolicy            # kyverno's folder is not listed by its layer
=== release-order-not-declared
values:
  cnpg:
    main: {enabled: true}      # asks for a CloudNativePG cluster, without dependsOn
=== release-without-provider
values:
  ingress:
    main: {integrations: {certManager: {enabled: true}}}      # cert-manager is not live
=== dependency-without-wait
longhorn:  dependsOn: [{name: snapshot-controller}]
snapshot-controller:           # a HelmRelease, but neither wait nor healthChecks
=== health-check-ignored
spec:
  wait: true
  healthChecks:                # does not count beside wait
    - {apiVersion: apps/v1, kind: Deployment, name: webhook, namespace: cert-manager}
=== expression-invalid
healthCheckExprs:
  - apiVersion: postgresql.cnpg.io/v1
    kind: Cluster
    current: status.conditions.exists(e, e.type == 'Ready'     # a parenthesis is missing
=== crds-not-installed
chart: {spec: {chart: cert-manager, version: v1.21.1}}
values: {}                     # neither crds.enabled nor installCRDs
=== crds-switched-twice
chart: {spec: {chart: cert-manager, version: v1.18.6}}
values: {installCRDs: true, crds: {enabled: true}}
=== more-replicas-than-nodes
# talconfig.yaml has one node
chart: {spec: {chart: longhorn, version: 1.12.1}}
values: {persistence: {defaultClassReplicaCount: 3}}
=== drain-blocked
chart: {spec: {chart: longhorn, version: 1.12.1}}      # on three nodes
values: {persistence: {defaultClassReplicaCount: 1}}
=== cni-needs-others
chart: {spec: {chart: cilium, version: 1.19.1}}
values: {prometheus: {enabled: true, serviceMonitor: {enabled: true}}}
=== backup-schedule-ignored
kind: ReplicationSource
spec:
  trigger: {schedule: "0 3 * * *", manual: before-the-upgrade}
=== schedule-refused
kind: CronJob
spec: {schedule: "0 5 0 * * *"}      # six fields
=== schedule-unreadable
kind: ReplicationSource
spec:
  trigger: {schedule: "0 5 0 * * *"}      # six fields
=== schedule-by-seconds
kind: ScheduledBackup
spec: {schedule: "0 3 * * *"}      # second 0 and minute 3 of every hour
=== operator-shut-out
kind: NetworkPolicy            # in a namespace with a database
spec:
  podSelector: {}
  ingress: [{from: [{podSelector: {}}]}]      # nothing about cloudnative-pg
=== storage-images-rewritten
kind: ClusterPolicy
spec:
  rules:
    - name: add-digest         # matches all pods, longhorn-system is not excluded
      verifyImages: [{imageReferences: ["*"], mutateDigest: true}]
=== address-given-twice
# plex and jellyfin both
service:
  main: {type: LoadBalancer, loadBalancerIP: 192.168.10.20}
=== address-outside-pool
METALLB_RANGE: 192.168.10.20-192.168.10.60
loadBalancerIP: 192.168.10.70
=== address-not-reserved
# plex, while jellyfin asks for 192.168.10.20 of the same pool
service:
  main: {type: LoadBalancer}
=== address-not-assigned
kind: IPAddressPool
spec: {autoAssign: false, addresses: [192.168.10.20-192.168.10.40]}
---
kind: Service
spec: {type: LoadBalancer}     # without metallb.io/loadBalancerIPs
=== address-ignored
# a CiliumLoadBalancerIPPool is live, MetalLB is not
annotations: {metallb.io/loadBalancerIPs: 192.168.10.20}
=== address-not-announced
kind: CiliumL2AnnouncementPolicy
spec: {loadBalancerIPs: true}  # while Cilium's values have no l2announcements.enabled: true
=== address-differs
loadBalancerIP: 192.168.10.20
annotations: {metallb.io/loadBalancerIPs: 192.168.10.21}
=== address-one-sided
service:
  main: {type: LoadBalancer, loadBalancerIP: 192.168.10.20}      # and no annotation
=== address-refused
kind: Service
metadata: {annotations: {metallb.io/loadBalancerIPs: 192.168.10.20}}
spec: {type: LoadBalancer, loadBalancerIP: 192.168.10.20}
=== volsync-ignored
persistence:
  config:
    targetSelector:
      main:
        volsync: [{name: nightly}]      # belongs below config itself
=== chart-does-not-render
values:
  ports: {web: {redirectTo: websecure}}      # refused by this version's values schema
=== chart-unreachable
chart: {spec: {chart: plex, version: 99.0.0}}      # the repository has no such version
=== remote-unreachable
spec:
  url: https://git.example.org/home/clusterr.git
=== image-missing
image: {repository: ghcr.io/home-operations/plex, tag: 99.0.0}      # was never pushed, or removed
=== dead-registry
image: {repository: tccr.io/truecharts/alpine}
=== undefined-variable
host: plex.${BASE_DOMAIN}      # BASE_DOMAIN is in no substitution source
=== foreign-variable
kind: ConfigMap
data:
  run.sh: |
    COUNT=$(ls | wc -l)
    echo ${COUNT}              # Flux leaves: echo
=== malformed-substitution
command: echo ${HOME/x}        # write $${HOME/x}
=== missing-substitution-source
postBuild:
  substituteFrom:
    - {kind: Secret, name: cluster-secrets}      # nobody declares it
=== settings-drift
clusterenv.yaml has PLEX_IP, the ConfigMap cluster-config made from it has not
"""
