"""What registries answer source-controller: for OCIRepositories, and charts that lie in them.

The words are those of source-controller 1.9 and its two clients: go-containerregistry for
OCIRepositories, ORAS for charts of HelmRepositories with `type: oci`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lab.charts import is_exact
from lab.flux.git import FetchError
from lab.kubernetes.values import Object, dig, text

__all__ = [
    "CHART_LAYER",
    "OciAnswer",
    "refuse_artifact",
    "refuse_chart",
    "refuse_layer",
    "refuse_url",
]

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-./"
_PULL, _READ = "OCIArtifactPullFailed", "ReadOperationFailed"


class OciAnswer(Enum):
    """How a registry does not give what is asked for."""

    NO_VERSION = "no such tag, or none that fits"
    NO_NAME = "no such repository"
    DENIED = "access is refused"
    SILENT = "nothing listens there"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a repository lies: `oci://host/path`, asked over TLS or not."""

    url: str
    is_insecure: bool

    @property
    def host(self) -> str:
        return self.url.removeprefix("oci://").partition("/")[0]

    @property
    def path(self) -> str:
        return self.url.removeprefix("oci://").partition("/")[2]

    @property
    def dialled(self) -> str:
        return self.host if ":" in self.host else f"{self.host}:443"

    def ask(self, rest: str) -> str:
        """The address of a question."""
        scheme = "http" if self.is_insecure else "https"
        return f"{scheme}://{self.host}/v2/{self.path}/{rest}"


def refuse_artifact(source: Object, answer: OciAnswer) -> FetchError:
    """Say why an OCIRepository has no artifact, by what its `ref` asks the registry."""
    place = _Place(text(source, "spec", "url").rstrip("/"), _is_insecure(source))
    digest = text(source, "spec", "ref", "digest")
    wanted = text(source, "spec", "ref", "semver")
    if digest:
        begin, rest = f"failed to pull artifact from '{place.url}'", f"manifests/{digest}"
    elif wanted:
        begin = f"failed to determine the artifact tag for '{place.url}'"
        rest = "tags/list?n=1000"
    else:
        tag = text(source, "spec", "ref", "tag") or "latest"
        begin, rest = "failed to determine artifact digest", f"manifests/{tag}"
    reason = _READ if wanted and not digest else _PULL
    if answer is OciAnswer.NO_VERSION and reason == _READ:
        return FetchError(f"{begin}: no match found for semver: {wanted}", reason)
    return FetchError(f"{begin}: {_say_as_google(place, rest, answer)}", reason)


def refuse_url(url: str) -> None:
    """Refuse a URL whose path is no repository's name, such as one with a tag.

    Raises:
        FetchError: it is none.
    """
    path = _Place(url, is_insecure=False).path
    if not set(path) <= set(_LETTERS):
        why = f"repository can only contain the characters `{_LETTERS}`: {path}"
        raise FetchError(f"URL validation failed for '{url}': {why}", "URLInvalid")


def refuse_layer(media_type: str) -> FetchError:
    """Say that an artifact has no layer of the kind that `layerSelector` wants."""
    message = f"failed to find layer with media type '{media_type}' in artifact"
    return FetchError(message, "OCIArtifactLayerOperationFailed")


def refuse_chart(repository: Object, chart: str, version: str, answer: OciAnswer) -> FetchError:
    """Say why the chart of a HelmChart cannot be pulled from an OCI HelmRepository."""
    base = text(repository, "spec", "url").rstrip("/")
    place = _Place(f"{base}/{chart}", _is_insecure(repository))
    if is_exact(version):
        name = f"{place.host}/{place.path}:{version}"
        begin = (
            f"failed to download chart for remote reference: failed to get '{place.url}:{version}':"
            ' failed to perform "FetchReference" on source: '
        )
        gone, rest = f"{name}: not found", f"manifests/{version}"
        if answer is OciAnswer.NO_NAME:
            answer = OciAnswer.NO_VERSION
    else:
        begin = "failed to get chart version for remote reference: "
        gone = f"could not locate a version matching provided version string {version}"
        rest = "tags/list"
        if answer is not OciAnswer.NO_VERSION:
            begin += f'could not get tags for "{chart}": could not fetch tags for "{place.url}": '
    said = gone if answer is OciAnswer.NO_VERSION else _say_as_oras(place, rest, answer)
    message = f"chart pull error: {begin}{said}"
    if answer is OciAnswer.DENIED:
        failed = "unknown build error: failed to authenticate with the Helm repository"
        return FetchError(f"{failed}: {message}", "Unknown")
    return FetchError(message, "ChartPullError")


def _say_as_google(place: _Place, rest: str, answer: OciAnswer) -> str:
    match answer:
        case OciAnswer.SILENT:
            refused = f"dial tcp {place.dialled}: connect: connection refused"
            schemes = ("https", "http") if place.is_insecure else ("https",)
            return "; ".join(f'Get "{scheme}://{place.host}/v2/": {refused}' for scheme in schemes)
        case OciAnswer.DENIED:
            said = "UNAUTHORIZED: authentication required"
        case OciAnswer.NO_NAME if rest.startswith("tags"):
            said = "NAME_UNKNOWN: repository name not known"
        case _:
            said = "MANIFEST_UNKNOWN: manifest unknown"
    return f"GET {place.ask(rest)}: {said}"


def _say_as_oras(place: _Place, rest: str, answer: OciAnswer) -> str:
    if answer is OciAnswer.SILENT:
        refused = f"dial tcp {place.dialled}: connect: connection refused"
        return f'Get "{place.ask(rest)}": {refused}'
    status = "401: unauthorized: authentication required"
    if answer is OciAnswer.NO_NAME:
        status = "404: name unknown: repository name not known"
    return f'GET "{place.ask(rest)}": response status code {status}'


def _is_insecure(source: Object) -> bool:
    return dig(source, "spec", "insecure") is True
