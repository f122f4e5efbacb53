"""Image registries: whether an image exists, asked as the OCI distribution specification has it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lifecycle.drivers.addresses import AddressBook
from lifecycle.errors import DriverError, TooManyRequestsError, UnavailableError

if TYPE_CHECKING:
    import httpx2

__all__ = ["Image", "Registries", "RegistryUnreachableError", "load_client"]

# An image factory builds an image when it is first asked for, which takes a minute or more.
_TIMEOUT_S = 180.0
_CONNECT_TIMEOUT_S = 10.0
_ACCEPTED = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_OK, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 401, 404, 429, 500
_DOCKER = "docker.io"
_DOCKER_API = "registry-1.docker.io"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = "127."


class RegistryUnreachableError(DriverError):
    """Raised when a registry cannot be asked from here, or does not let us ask."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference, taken apart as containerd does it."""

    host: str
    name: str
    version: str  # a tag, or a digest

    @classmethod
    def parse(cls, reference: str) -> Image:
        """Read a reference such as `factory.talos.dev/metal-installer/ID:v1.13.9`."""
        name, _, digest = reference.partition("@")
        host, slash, rest = name.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, rest = _DOCKER, name if slash else f"library/{name}"
        path, colon, tag = rest.rpartition(":")
        if not colon:
            path, tag = rest, "latest"
        return cls(host, path, digest or tag)


class Registries:
    """Asks registries, or what stands in for them in the lab; nothing is ever pulled.

    A context manager: its connections are closed at the end.
    """

    def __init__(self, addresses: AddressBook) -> None:
        self.addresses = addresses
        self._making: asyncio.Task[httpx2.AsyncClient] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._making is not None:
            making, self._making = self._making, None
            await (await making).aclose()

    async def prepare(self) -> None:
        """Load what `has` needs, beside whatever else is waited for."""
        await self._client()

    async def has(self, image: Image, mirrors: Iterable[str] = ()) -> bool:
        """Tell whether one of the mirrors (URLs), or the image's own registry, has an image.

        Raises:
            RegistryUnreachableError: none has it, and not all could be asked.
            TooManyRequestsError, UnavailableError: a registry that may answer later.
        """
        client = await self._client()
        import httpx2  # noqa: PLC0415 - see `_make_client`

        unasked: list[DriverError] = []
        for url in self._find_urls(image, mirrors):
            try:
                if url and await _has_manifest(client, url, image):
                    return True
            except (httpx2.HTTPError, ssl.SSLError) as error:
                unasked.append(_describe(url, str(error) or type(error).__name__))
            except DriverError as error:
                unasked.append(error)
        if unasked:
            raise unasked[-1]
        if not self._find_origin(image):
            raise RegistryUnreachableError(f"registry is not part of the lab: `{image.host}`")
        return False

    async def _client(self) -> httpx2.AsyncClient:
        """Return the client of all requests: its certificates alone take 0.1 s to load."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make_client))
        return await asyncio.shield(self._making)

    def _make_client(self) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415 - 0.2 s that must not delay the first probe; see `prepare`

        return httpx2.AsyncClient(
            timeout=httpx2.Timeout(_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
            follow_redirects=True,
            # The way to registries may lead through a proxy, the way into the lab never.
            trust_env=not self.addresses.dialled,
        )

    def _find_urls(self, image: Image, mirrors: Iterable[str]) -> tuple[str, ...]:
        """Return where to ask, in order; a rehearsal asks nobody outside of its lab."""
        return (*(() if self.addresses.dialled else mirrors), self._find_origin(image))

    def _find_origin(self, image: Image) -> str:
        """Return the URL of an image's own registry; empty where the lab has none for it."""
        if self.addresses.dialled:
            known = self.addresses.dialled.get(image.host)
            return f"http://{known}" if known else ""
        host = _DOCKER_API if image.host == _DOCKER else image.host
        # As containerd has it: no TLS for what never leaves the machine.
        is_local = host.startswith(_LOOPBACK) or host.partition(":")[0] == "localhost"
        return f"{'http' if is_local else 'https'}://{host}"


def load_client() -> None:
    """Import the HTTP client, which takes 0.2 s, ahead of the first question."""
    import httpx2  # noqa: F401, PLC0415 - see `Registries.prepare`


async def _has_manifest(client: httpx2.AsyncClient, url: str, image: Image) -> bool:
    """Ask for a manifest, with the anonymous token that a registry may want to see."""
    manifest = f"{url.rstrip('/')}/v2/{image.name}/manifests/{image.version}"
    headers = {"Accept": ", ".join(_ACCEPTED)}
    response = await client.head(manifest, headers=headers)
    if response.status_code == _UNAUTHORIZED:
        token = await _fetch_token(client, response.headers.get("WWW-Authenticate", ""))
        if token:
            headers["Authorization"] = f"Bearer {token}"
            response = await client.head(manifest, headers=headers)
    status = response.status_code
    if status in {_OK, _NOT_FOUND}:
        return status == _OK
    if status == _TOO_MANY:
        raise TooManyRequestsError(f"registry wants fewer requests: `{url}`", status=status)
    if status >= _SERVER_ERROR:
        raise UnavailableError(f"registry is in trouble: `{url}`: {status}", status=status)
    raise _describe(url, f"it answers {status}")


async def _fetch_token(client: httpx2.AsyncClient, challenge: str) -> str:
    """Fetch the token that a challenge names; empty for other ways to log in."""
    scheme, _, rest = challenge.partition(" ")
    parameters: Mapping[str, str] = dict(_CHALLENGE.findall(rest))
    realm = parameters.get("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        return ""
    wanted = {key: parameters[key] for key in ("service", "scope") if key in parameters}
    response = await client.get(realm, params=wanted)
    if response.status_code != _OK:
        return ""
    try:
        answer = response.json()
    except ValueError:
        return ""
    found = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else ""
    return str(found or "")


def _describe(url: str, reason: str) -> RegistryUnreachableError:
    return RegistryUnreachableError(f"registry cannot be asked from here: `{url}`: {reason}")
