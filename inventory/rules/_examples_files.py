"""Examples of findings about files and kustomize builds; each begins with `=== id`."""

from __future__ import annotations

FILES = """
=== invalid-yaml
data:
  key: [1, 2        # the bracket is never closed
=== duplicate-key
metadata:
  name: plex
  name: jellyfin
=== not-text
clusters/main/kubernetes/apps/plex/app/icon.yaml is a picture with a wrong suffix
=== file-unreadable
-rw------- 1 root root 512 helm-release.yaml      # written by another user
=== file-too-large
-rw-r--r-- 1 me me 17825792 dashboard.yaml        # more than 16 MiB
=== nested-too-deep
clusters/main/kubernetes/apps/a/a/a/a/a/...      # more than 40 directories in each other
=== path-escapes
resources:
  - ../../../../../../other-checkout/apps
=== missing-resource
resources:
  - namespace.yaml
  - helm-release.yaml          # the file is called helmrelease.yaml
=== not-in-artifact
kind: GitRepository
spec:
  ignore: |
    /*
    !/clusters                 # and what is live in repositories/ is left out
=== invalid-kustomization
patches:
  - patch.yaml                 # must be a mapping: {path: patch.yaml}
=== ignored-field
resource:                      # the field is called resources
  - helm-release.yaml
=== wrong-type
kind: ConfigMap
data: {port: 8080}             # must be "8080"
=== unknown-field
kind: HelmRelease
spec:
  values: {}
  persistence: {config: {enabled: true}}      # belongs below values
=== malformed-quantity
persistence: {config: {size: 512 Mi}}      # write 512Mi
=== key-not-text
kind: ConfigMap
data: {404: not found}         # must be "404"
=== rewritten-value
image: {tag: 1.10}             # pulls 1.1
=== switch-is-text
values: {ingress: {enabled: no}}      # is on
=== empty-kustomization
# media/kustomization.yaml, which apps/kustomization.yaml lists
resources:
  # - plex/ks.yaml
=== missing-kustomization-file
resources:
  - monitoring                 # a directory of manifests without kustomization.yaml
=== kustomization-cycle
# apps/kustomization.yaml
resources: [media]
# apps/media/kustomization.yaml
resources: [..]
=== build-too-large
# apps/kustomization.yaml; media and each directory below it lists two in the same way
resources: [media, ./media]
=== not-an-object
# listed under resources
replicas: 3
image: nginx
=== half-renamed-file
clusters/main/kubernetes/flux-system/flux/
  kustomization.yaml           # lists github.com/fluxcd/flux2/manifests/install: bootstrap.yaml.ct
  placeholder                  # the true kustomization.yaml
=== duplicate-id
resources:
  - deployment.yaml            # Deployment/web
  - deployment-copy.yaml       # Deployment/web once more
=== unmatched-target
replicas:
  - {name: webserver, count: 3}      # the Deployment is called web
=== unmatched-image
images:
  - {name: nginx, newTag: "1.29"}    # the container has docker.io/library/nginx
=== patch-failed
patches:
  - path: replicas.yaml
    target: {kind: Deployment, name: wbe}      # there is no such object
=== remote-resource
resources:
  - https://github.com/example/project//deploy?ref=v1.2.3
=== missing-path
spec:
  path: clusters/main/kubernetes/apps/plexx/app      # the folder is apps/plex/app
=== no-kustomization-file
clusters/main/kubernetes/apps/panio/app/
  helm-release.yaml            # and no kustomization.yaml beside it
=== empty-live-file
# resources:
#   - everything here is commented out
=== lists-itself
# kustomization.yaml
resources:
  - kustomization.yaml
=== object-owned-twice
core/plans/app/namespace.yaml        Namespace/system-upgrade
system/tuppr/app/namespace.yaml      Namespace/system-upgrade
"""
