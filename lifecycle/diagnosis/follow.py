"""Going on from what a message names: who brings the kind, the Secret, the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lifecycle.diagnosis.scene import Follower, Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import text_at

__all__ = ["FOLLOWERS"]

# DaemonSets that bring the pod network, by a part of their names.
_NETWORKS = ("cilium", "flannel", "calico-node", "canal", "kube-ovn", "antrea")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


def follow_kind(scene: Scene, fields: Mapping[str, str]) -> Diagnosis | None:
    """Go on to the release that brings a kind; None when nothing in Git does."""
    group, kind = fields["version"].rpartition("/")[0], fields["crd"]
    provider = scene.facts.providers.get(f"{group}/{kind}")
    if provider is None:
        return None
    named = {**fields, "provider": str(provider)}
    accepted = scene.facts.find_accepted(provider)
    if accepted:
        return scene.name_cause("kind-of-accepted", accepted=accepted, **named)
    owner = scene.facts.kustomization_of(provider)
    if scene.here in {provider, owner}:
        return scene.name_cause("kind-beside-its-release", **named)
    # A provider that was never applied is explained by what should apply it.
    found = scene.explain(provider)
    if found:
        return found.under(
            f"kind {kind} of {fields['version']} does not exist; {provider} brings it"
        )
    return scene.name_cause("kind-left-out", **named)


def follow_webhook(scene: Scene, fields: Mapping[str, str]) -> Diagnosis | None:
    """Go on to the service of a webhook that does not answer, or not so that it is trusted."""
    if not fields.get("service"):
        return None  # it is reached by its URL: nothing of the cluster
    found = scene.explain(Key("Service", fields["space"], fields["service"]))
    return found.under(f"webhook {fields['webhook']} does not answer") if found else None


def follow_config(scene: Scene, fields: Mapping[str, str]) -> Diagnosis | None:
    """Go on from a missing Secret or ConfigMap to what should make it."""
    wanted = Key(_KINDS[fields["what"]], scene.here.namespace, fields["object"])
    owner = scene.facts.kustomization_of(wanted)
    found = scene.explain(owner) if owner else None
    if found:
        return found.under(f"{wanted} does not exist; {owner} applies it")
    for certificate in scene.sight.of_kind("Certificate", wanted.namespace):
        if text_at(certificate.raw, "spec", "secretName") == wanted.name:
            made = scene.explain(key_of(certificate))
            if made:
                return made.under(f"{wanted} does not exist; {key_of(certificate)} makes it")
    return None


def follow_namespace(scene: Scene, fields: Mapping[str, str]) -> Diagnosis | None:
    """Go on from a missing namespace to the component that creates it."""
    owner = scene.facts.kustomization_of(Key("Namespace", "", fields["space"]))
    found = scene.explain(owner) if owner else None
    return (
        found.under(f"namespace {fields['space']} does not exist; {owner} creates it")
        if found
        else None
    )


def follow_network(scene: Scene, fields: Mapping[str, str]) -> Diagnosis | None:
    """Go on from a node without network to the DaemonSet that should bring it."""
    del fields
    networks = (
        key_of(item)
        for item in scene.sight.of_kind("DaemonSet")
        if any(word in item.name for word in _NETWORKS)
    )
    return scene.explain_first(networks)


FOLLOWERS: Final[Mapping[str, Follower]] = {
    "kind-not-served": follow_kind,
    "webhook-silent": follow_webhook,
    "webhook-untrusted": follow_webhook,
    "config-missing": follow_config,
    "namespace-missing": follow_namespace,
    "cni-absent": follow_network,
    "sandbox-failed": follow_network,
}
