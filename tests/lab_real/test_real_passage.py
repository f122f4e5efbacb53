"""Connections that are passed on: whole, both ways, and ended as the other side ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from lab.clock import LabClock
from lab.ledger import Ledger
from lab.network import LineFault, Lines
from lab.real.passage import Passages, Target

HOST = f"127.44.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
PORT, BEHIND, ELSEWHERE = 6443, 16443, 16444
MUCH = bytes(range(256)) * 8192  # two MiB: more than any buffer holds


@dataclass(slots=True)
class Way:
    """A line, what is behind it, and where new connections go."""

    lines: Lines
    passages: Passages
    target: Target = (HOST, BEHIND)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was asked; reset at `reset`."""
    while piece := await reader.read(65536):
        if piece == b"reset":
            writer.transport.abort()
            return
        writer.write(piece)
        await writer.drain()
    writer.close()


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    """A server that echoes behind a line."""
    lines = Lines(LabClock(Ledger(), speed=1000.0))
    made = Way(lines, Passages(lambda: made.target))
    server = await asyncio.start_server(echo, HOST, BEHIND)
    lines[HOST].serve(PORT, made.passages.make)
    yield made
    made.passages.cut()
    lines.close()
    server.close()


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to the line, for five seconds at most."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(HOST, PORT)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def test_everything_passes_both_ways(way: Way) -> None:
    """More than any buffer holds comes back as it was sent."""
    del way
    async with connect() as (reader, writer):
        sending = asyncio.create_task(send(writer))
        got = await reader.readexactly(len(MUCH))
        await sending

    assert MUCH == got


async def send(writer: asyncio.StreamWriter) -> None:
    """Send much."""
    writer.write(MUCH)
    await writer.drain()


async def test_end_of_the_server_ends_the_client(way: Way) -> None:
    """Whoever waits for an answer hears that there is none."""
    del way
    async with connect() as (reader, writer):
        writer.write(b"reset")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_nobody_behind_ends_the_client(way: Way) -> None:
    """A server that is away leaves no connection hanging."""
    way.target = (HOST, ELSEWHERE)
    async with connect() as (reader, _):
        assert b"" == await reader.read()


async def test_those_that_go_elsewhere_are_reset(way: Way) -> None:
    """Connections to where new ones go stay."""
    async with connect() as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        way.passages.cut(keeps=(HOST, BEHIND))
        writer.write(b"y")
        kept = await reader.readexactly(1)
        way.passages.cut(keeps=(HOST, ELSEWHERE))
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)

    assert b"y" == kept


async def test_faults_of_the_line_strike(way: Way) -> None:
    """What is on its way while the line is silent arrives afterwards."""
    async with connect() as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        way.lines[HOST].set_fault(LineFault.PARTITIONED)
        writer.write(b"y")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting := read_one(reader)), 0.1)
        way.lines[HOST].set_fault(LineFault.PARTITIONED, on=False)

        assert b"y" == await waiting


def read_one(reader: asyncio.StreamReader) -> asyncio.Task[bytes]:
    """Begin to read a byte."""
    return asyncio.create_task(reader.readexactly(1))
