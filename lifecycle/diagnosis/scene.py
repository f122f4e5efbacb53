"""Where an explanation stands: what is seen, what Git says, and the way that led here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from lifecycle.diagnosis.catalogue import find_signature, match_message
from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.sight import Sight
from lifecycle.diagnosis.values import Diagnosis, Key, clean
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["Explainer", "Follower", "Scene"]

_FLUX_WORDS = {
    "Kustomization": "kustomization",
    "HelmRelease": "helmrelease",
    "GitRepository": "source git",
    "OCIRepository": "source oci",
    "HelmRepository": "source helm",
    "Bucket": "source bucket",
}

# Explains an object that may be missing; None means that nothing is wrong with it.
Explainer = Callable[["Scene", Key, KubernetesObject | None], Diagnosis | None]
# Goes on from what a message named, by the fields of its pattern; None leaves it at the message.
Follower = Callable[["Scene", Mapping[str, str]], Diagnosis | None]


@dataclass(frozen=True, slots=True)
class Scene:
    """One point on the way from what was asked about to the first cause.

    `path` holds every object on the way, the present one last: it finds circles, and says where
    in Git the nearest declaration stands.
    """

    sight: Sight
    facts: Facts
    explainers: Mapping[str, Explainer] = field(default_factory=dict, repr=False)
    followers: Mapping[str, Follower] = field(default_factory=dict, repr=False)
    path: tuple[Key, ...] = ()

    @property
    def here(self) -> Key:
        """The object that is being explained."""
        return self.path[-1]

    def explain(self, key: Key) -> Diagnosis | None:
        """Explain another object from here; None when nothing is wrong, or in a circle."""
        explainer = self.explainers.get(key.kind)
        if explainer is None or key in self.path:
            return None
        return explainer(replace(self, path=(*self.path, key)), key, self.sight.find(key))

    def explain_first(self, keys: Iterable[Key]) -> Diagnosis | None:
        """Return the explanation of the first object that has one."""
        return next((found for key in keys if (found := self.explain(key))), None)

    def blame(self, message: str, otherwise: str, **fields: str) -> Diagnosis:
        """Explain a message by the catalogue; by the entry `otherwise` when none bears it."""
        match = match_message(message)
        if match is None:
            return self.name_cause(otherwise, reason=message, **fields)
        named = {**fields, **match.fields, "reason": message}
        follower = self.followers.get(match.signature.id)
        followed = follower(self, named) if follower else None
        return followed or self.name_cause(match.signature.id, **named)

    def name_cause(self, signature: str, **fields: str) -> Diagnosis:
        """Make the diagnosis of an entry of the catalogue."""
        entry = find_signature(signature)
        known = _Fields({**self._describe_here(), **fields})
        return Diagnosis(
            cause=clean(entry.cause.format_map(known)),
            evidence=(),
            command=clean(entry.repair.format_map(known)),
            component=known["component"],
            signature=signature,
        )

    def suggest(self, key: Key) -> str:
        """Say which existing object a missing one was perhaps meant to be."""
        names = [item.name for item in self.sight.of_kind(key.kind)]
        close = get_close_matches(key.name, names, n=1)
        return f" (did you mean `{close[0]}`?)" if close else ""

    def find_flux_object(self) -> Key | None:
        """Return the nearest object on the way that Flux can be asked to try again."""
        return next((key for key in reversed(self.path) if key.kind in _FLUX_WORDS), None)

    def _describe_here(self) -> Mapping[str, str]:
        here = self.here
        return {
            "thing": str(here),
            "kind": here.kind,
            "lower_kind": here.kind.lower(),
            "flux_kind": _FLUX_WORDS.get(here.kind, ""),
            "namespace": here.namespace,
            "name": here.name,
            "component": self._find_component(),
            "place": self._find_place(),
            "again": self._find_again(),
        }

    def _find_place(self) -> str:
        """Say where in Git the nearest declaration stands."""
        for key in reversed(self.path):
            if key in self.facts.places:
                return self.facts.places[key]
        near = self.find_flux_object() or self.here
        return f"{near} in Git"

    def _find_again(self) -> str:
        near = self.find_flux_object()
        if near is None:
            return "run again"
        words = f"flux reconcile {_FLUX_WORDS[near.kind]} {near.name} -n {near.namespace}"
        if near.kind == "HelmRelease":
            return f"{words} --with-source --reset --force"
        return f"{words} --with-source" if near.kind == "Kustomization" else words

    def _find_component(self) -> str:
        """Name the component that the cause lies in: the deepest on the way."""
        names = {key: name for name, key in self.facts.components.items()}
        for key in reversed(self.path):
            owner = names.get(key) or self.facts.owners.get(key)
            if owner:
                return owner
        kustomizations = [key.name for key in self.path if key.kind == "Kustomization"]
        return kustomizations[-1] if kustomizations else ""


class _Fields(dict[str, str]):
    """Fields of a text; those that nobody knows are empty."""

    def __missing__(self, key: str) -> str:
        return ""
