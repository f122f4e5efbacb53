"""What a line does to connections: nothing, late, silent, cut, and back again."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator

import pytest

from lab.clock import LabClock
from lab.ledger import Ledger
from lab.network import Line, LineFault, Lines

_HOST = f"127.{150 + os.getpid() % 100}.{os.getpid() // 100 % 250}.7"
_PORT = 50000
_OTHER = 6443
_SPEED = 100.0
_MOMENT_S = 0.1  # wall seconds in which loopback answers, when it does


class Echo(asyncio.BufferedProtocol):
    """Sends back what it gets, and remembers how it ended."""

    def __init__(self) -> None:
        self.lost: list[Exception | None] = []
        self._buffer = bytearray(1000)  # smaller than what arrives, as TLS' buffer may be
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend a small buffer."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer."""
        self._transport.write(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember."""
        self.lost.append(exc)


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """A line of which one port echoes."""
    lines = Lines(LabClock(Ledger(), speed=_SPEED))
    lines[_HOST].serve(_PORT, Echo)
    yield lines[_HOST]
    lines.close()
    await asyncio.sleep(0)


@pytest.fixture
async def client(line: Line) -> AsyncIterator[Client]:
    """A connection to the port that echoes."""
    reader, writer = await asyncio.open_connection(line.host, _PORT)
    yield reader, writer
    writer.close()


async def test_plain_line_passes_everything(client: Client) -> None:
    """Without a fault a line is a line, whatever the size of what is sent."""
    sent = os.urandom(100_000)

    assert sent == await _ask(client, sent)


async def test_partitioned_line_answers_nothing(line: Line) -> None:
    """A new connection is not even refused, on ports that nobody serves as on the others."""
    line.set_fault(LineFault.PARTITIONED)
    silent = [await _is_silent(port) for port in (_PORT, _OTHER)]
    line.set_fault(LineFault.PARTITIONED, on=False)

    assert [True, True] == silent


async def test_port_of_another_program_is_left_alone(line: Line) -> None:
    """What the lab does not serve itself, a partition cannot silence; the rest it does."""
    with socket.socket() as other:
        other.bind((line.host, _OTHER))
        other.listen()
        line.set_fault(LineFault.PARTITIONED)
        silent = [await _is_silent(port) for port in (_PORT, _OTHER)]
        line.set_fault(LineFault.PARTITIONED, on=False)

    assert [True, False] == silent


async def test_connections_outlive_a_partition(line: Line, client: Client) -> None:
    """What was sent while nothing passed arrives afterwards, both ways."""
    line.set_fault(LineFault.PARTITIONED)
    asked = asyncio.create_task(_ask(client, b"are you there?"))
    await asyncio.sleep(_MOMENT_S)
    hung = not asked.done()
    line.set_fault(LineFault.PARTITIONED, on=False)

    assert hung
    assert await asked == b"are you there?"


async def test_dialling_during_a_partition_succeeds_after_it(line: Line) -> None:
    """Who keeps dialling gets through once the partition ends, as the kernel tries again."""
    line.set_fault(LineFault.PARTITIONED)
    dialling = asyncio.create_task(asyncio.open_connection(line.host, _PORT))
    await asyncio.sleep(_MOMENT_S)
    line.set_fault(LineFault.PARTITIONED, on=False)
    client = await asyncio.wait_for(dialling, 5)
    answer = await _ask(client, b"late")
    client[1].close()

    assert answer == b"late"


async def test_end_of_service_is_silent_in_a_partition(line: Line, client: Client) -> None:
    """A machine that goes down behind a partition sends no goodbye; it is seen afterwards."""
    line.set_fault(LineFault.PARTITIONED)
    line.end(_PORT)
    silent = await _is_silent(_PORT)
    line.set_fault(LineFault.PARTITIONED, on=False)

    assert silent
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(line.host, _PORT)
    client[1].close()


async def test_cut_line_breaks_and_refuses(line: Line, client: Client) -> None:
    """Connections in flight get a reset, new ones a refusal, until the cut is mended."""
    await _ask(client, b"fine so far")
    line.set_fault(LineFault.CUT)
    with pytest.raises(ConnectionResetError):
        await client[0].readexactly(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(line.host, _PORT)
    line.set_fault(LineFault.CUT, on=False)
    again = await asyncio.open_connection(line.host, _PORT)
    answer = await _ask(again, b"back")
    again[1].close()

    assert answer == b"back"


async def test_slowed_line_is_late_and_narrow(line: Line, client: Client) -> None:
    """Simulated: 0.6 s each way, and 16 kB a second each way."""
    line.set_fault(LineFault.SLOWED)
    small = await _time(client, b"x")
    large = await _time(client, bytes(48_000))

    assert small * _SPEED >= 1.2
    assert large * _SPEED >= 1.2 + 3.0


async def test_mended_line_passes_what_was_late(line: Line, client: Client) -> None:
    """Nothing keeps its delay once the line is plain again, and the order stays."""
    line.clock.change_speed(0.01)  # ten minutes each way
    sent = os.urandom(1000)
    line.set_fault(LineFault.SLOWED)
    asked = asyncio.create_task(_ask(client, sent))
    await asyncio.sleep(_MOMENT_S)
    hung = not asked.done()
    line.set_fault(LineFault.SLOWED, on=False)

    assert hung
    assert sent == await asyncio.wait_for(asked, 10)


async def test_flapping_line_comes_and_goes(line: Line, client: Client) -> None:
    """A call takes longer while the link is down, and none is lost."""
    line.set_fault(LineFault.FLAPPING)
    took = [await _time(client, b"?") for _ in range(3)]
    await asyncio.sleep(12.5 / _SPEED)
    late = await _time(client, b"?")
    line.set_fault(LineFault.FLAPPING, on=False)

    assert max(*took, late) * _SPEED > 1.0


async def test_line_that_follows_another_is_as_that(line: Line) -> None:
    """A VIP is as silent as the machine that holds it."""
    clock = LabClock(Ledger(), speed=_SPEED)
    lines = Lines(clock)
    vip = lines[_HOST[:-1] + "9"]
    vip.serve(_PORT, Echo)
    vip.follow(line)
    line.set_fault(LineFault.PARTITIONED)
    followed = vip.condition
    line.set_fault(LineFault.PARTITIONED, on=False)
    vip.leave()
    line.set_fault(LineFault.CUT)
    left = vip.condition
    lines.close()

    assert followed.is_silent
    assert left.is_plain


async def test_renewed_line_breaks_what_stood_and_goes_on(line: Line, client: Client) -> None:
    """Where an address went away and came back, old connections are no more, new ones work."""
    await _ask(client, b"before")
    line.renew()
    with pytest.raises(ConnectionResetError):
        await client[0].readexactly(1)
    again = await asyncio.open_connection(line.host, _PORT)
    answer = await _ask(again, b"after")
    again[1].close()

    assert answer == b"after"


async def test_taken_address_is_named(line: Line) -> None:
    """Who cannot listen is told where and why."""
    other = Lines(LabClock(Ledger()))

    with pytest.raises(OSError, match=rf"`{line.host}:{_PORT}`: address already in use"):
        other[line.host].serve(_PORT, Echo)


async def test_reader_that_hung_up_in_a_partition_is_noticed_afterwards(line: Line) -> None:
    """The server hears of an end only when anything passes again."""
    echo = Echo()
    line.end(_PORT)
    line.serve(_PORT, lambda: echo)
    reader, writer = await asyncio.open_connection(line.host, _PORT)
    await _ask((reader, writer), b"hello")
    line.set_fault(LineFault.PARTITIONED)
    writer.close()
    await asyncio.sleep(_MOMENT_S)
    during = list(echo.lost)
    line.set_fault(LineFault.PARTITIONED, on=False)
    await asyncio.sleep(_MOMENT_S)

    assert during == []
    assert echo.lost == [None]


async def _ask(client: Client, data: bytes) -> bytes:
    reader, writer = client
    writer.write(data)
    return await reader.readexactly(len(data))


async def _time(client: Client, data: bytes) -> float:
    begun = time.monotonic()
    await _ask(client, data)
    return time.monotonic() - begun


async def _is_silent(port: int) -> bool:
    loop = asyncio.get_running_loop()
    with socket.socket() as dialling:
        dialling.setblocking(False)
        try:
            async with asyncio.timeout(_MOMENT_S):
                await loop.sock_connect(dialling, (_HOST, port))
        except TimeoutError:
            return True
        except OSError:
            return False
    return False
