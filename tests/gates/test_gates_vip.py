"""What the gate of the VIP says of whoever answers there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.hazmat.primitives import serialization

from lifecycle.drivers import ports
from lifecycle.engine import Answer, Blocked, Satisfied, Unknown
from lifecycle.gates import vip
from lifecycle.gates.vip import VipIsFree
from lifecycle.world import World
from tests.drivers.api_server import Authority

VIP = "10.41.0.5"
OURS, OTHER = Authority(), Authority()
_ENDS = Unknown(f"`{VIP}:6443` ends connections before it shows a certificate")


def _pem(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(serialization.Encoding.PEM)


def _context(authority: Authority, folder: Path) -> ssl.SSLContext:
    certificate, key = authority.issue("server")
    (folder / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@asynccontextmanager
async def _serve(address: str, port: int, kind: str, folder: Path) -> AsyncIterator[None]:
    """Answer on a port: with a certificate, in clear text, with silence, or by hanging up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kind == "clear":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if kind != "ends":
            await reader.read()
        writer.close()

    authority = {"ours": OURS, "other": OTHER}.get(kind)
    context = _context(authority, folder) if authority else None
    server = await asyncio.start_server(answer, address, port, ssl=context)
    try:
        yield
    finally:
        server.close()


async def _probe(folder: Path, **answering: str) -> Answer:
    """Ask the gate, with servers by the name of their port."""
    address = "127.41.0.250"
    book = SimpleNamespace(dial=lambda _: address)
    repository = SimpleNamespace(kubernetes_ca=_pem(OURS), talos_ca=_pem(OURS))
    talos = SimpleNamespace(vip=VIP)
    inventory = SimpleNamespace(variables=SimpleNamespace(path="clusterenv.yaml"))
    world = SimpleNamespace(talos=talos, addresses=book, repository=repository, inventory=inventory)
    async with AsyncExitStack() as servers:
        for name, kind in answering.items():
            port = {"kubernetes": 6443, "talos": 50000}[name]
            await servers.enter_async_context(_serve(address, port, kind, folder))
        return await VipIsFree(cast("World", world)).probe()


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        ({}, Satisfied(f"nothing answers on {VIP}")),
        ({"kubernetes": "ours"}, Satisfied(f"{VIP} is held by this cluster")),
        ({"talos": "ours"}, Satisfied(f"{VIP} is held by this cluster")),
        ({"kubernetes": "ends", "talos": "ours"}, Satisfied(f"{VIP} is held by this cluster")),
        ({"kubernetes": "silent", "talos": "ours"}, Satisfied(f"{VIP} is held by this cluster")),
        ({"kubernetes": "silent"}, 6443),
        ({"kubernetes": "ends"}, _ENDS),
        ({"kubernetes": "other"}, 6443),
        ({"kubernetes": "clear"}, 6443),
        ({"talos": "other"}, 50000),
    ],
    ids=str,
)
async def test_vip(
    answering: dict[str, str],
    said: Answer | int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a foreign certificate, or no TLS, makes it taken; a server that starts is waited for."""
    slow = ports.read_signature

    async def read_signature(ca: bytes, address: str, port: int) -> ports.Signature:
        return await slow(ca, address, port, timeout_s=0.3)

    monkeypatch.setattr(vip, "read_signature", read_signature)
    taken = Blocked(
        f"VIP is taken: something that is not this cluster answers on `{VIP}:{said}`",
        "turn it off, or choose another VIP in clusterenv.yaml",
    )

    assert (taken if isinstance(said, int) else said) == await _probe(tmp_path, **answering)
