"""Whether an image exists, asked of a registry on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.registry import Image, Registries, RegistryUnreachableError
from lifecycle.errors import DriverError, TooManyRequestsError, UnavailableError


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        (
            "factory.talos.dev/metal-installer/abc:v1.13.9",
            "factory.talos.dev|metal-installer/abc|v1.13.9",
        ),
        (
            "ghcr.io/siderolabs/installer:v1.13.9@sha256:12",
            "ghcr.io|siderolabs/installer|sha256:12",
        ),
        ("localhost:5000/installer", "localhost:5000|installer|latest"),
        ("installer:v1", "docker.io|library/installer|v1"),
        ("somebody/installer:v1", "docker.io|somebody/installer|v1"),
    ],
)
def test_reference_is_taken_apart(reference: str, image: str) -> None:
    """Host, name and version, with the defaults that container runtimes have."""
    assert Image(*image.split("|")) == Image.parse(reference)


@asynccontextmanager
async def serve(*answers: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Answer one request after the other; yields the address and what was asked for."""
    left, asked = list(answers), list[str]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        asked.append(request.decode().splitlines()[0])
        head = f"HTTP/1.1 {left.pop(0)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}", asked
    finally:
        server.close()


async def ask(address: str, *mirrors: str) -> bool:
    """Ask for an installer of the registry at an address."""
    image = Image.parse(f"{address}/metal-installer/abc:v1.13.9")
    async with Registries(AddressBook()) as registries:
        return await registries.has(image, mirrors)


async def test_registry_that_has_an_image() -> None:
    """The manifest is asked for by name and version, and not fetched."""
    async with serve("200 OK") as (address, asked):
        has = await ask(address)

    assert has
    assert ["HEAD /v2/metal-installer/abc/manifests/v1.13.9 HTTP/1.1"] == asked


async def test_mirror_comes_first_and_the_registry_after_it() -> None:
    """What no mirror has may still be in the registry itself, as container runtimes go on."""
    async with serve("404 Not Found") as (mirror, asked_first), serve("200 OK") as (own, _):
        has = await ask(own, f"http://{mirror}/")

    assert has
    assert 1 == len(asked_first)


async def test_image_that_nobody_has() -> None:
    """Not found everywhere is an answer."""
    async with serve("404 Not Found") as (mirror, _), serve("404 Not Found") as (own, _):
        has = await ask(own, f"http://{mirror}")

    assert not has


@pytest.mark.parametrize(
    ("answer", "error", "matches"),
    [
        ("503 Service Unavailable", UnavailableError, "is in trouble: .*: 503"),
        ("429 Too Many Requests", TooManyRequestsError, "fewer requests"),
        ("401 Unauthorized", RegistryUnreachableError, "cannot be asked from here: .* answers 401"),
        ("403 Forbidden", RegistryUnreachableError, "answers 403"),
    ],
)
async def test_registry_that_gives_no_answer(
    answer: str, error: type[DriverError], matches: str
) -> None:
    """Trouble and refusals are told apart from an image that is not there."""
    async with serve(answer) as (address, _):
        with pytest.raises(error, match=matches):
            await ask(address)


async def test_registry_that_cannot_be_reached(unused_tcp_port_factory: Callable[[], int]) -> None:
    """Where nobody listens, nothing is known of the image, whatever a mirror says."""
    async with serve("404 Not Found") as (mirror, _):
        with pytest.raises(RegistryUnreachableError, match="cannot be asked from here"):
            await ask(f"127.0.0.1:{unused_tcp_port_factory()}", f"http://{mirror}")


async def test_rehearsal_asks_nobody_outside_of_its_lab() -> None:
    """Neither mirrors nor registries of the wide world hear of a rehearsal."""
    known = AddressBook({"10.0.0.1": "127.0.0.1"})
    async with serve() as (mirror, asked), Registries(known) as registries:
        with pytest.raises(RegistryUnreachableError, match="not part of the lab"):
            await registries.has(Image.parse("ghcr.io/a/installer:v1"), [f"http://{mirror}"])

    assert [] == asked
