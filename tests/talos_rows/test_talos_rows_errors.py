"""Every way in which a call fails, as talosctl words it; the causes are the machines'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.lab_machines.lab_machines_world import PORT, Cluster, MakeWorld
from tests.talos_rows.talos_rows_tool import (
    NODES,
    PREFIX,
    Talosctl,
    address_of,
    make_cluster,
    write_talosconfig,
)

pytestmark = pytest.mark.tools

_UNAVAILABLE = "rpc error: code = Unavailable desc = connection error: desc = "


@pytest.mark.row("nothing listens")
async def test_nothing_listens(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A closed port is a refused connection."""
    world = make_world(["cp1"])
    node = address_of(world, "cp1")
    write_talosconfig(talosctl, world.cluster, node)

    result = await talosctl.run("version", "--short", "-n", node)

    assert result.code == 1
    asked = talosctl.failed("getting version", node)
    assert result.error == (
        f'{asked}{_UNAVAILABLE}"transport: Error while dialing: dial tcp '
        f'{node}:{PORT}: connect: connection refused"'
    )


@pytest.mark.row("handshake too slow")
async def test_a_silent_host(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A host that takes the connection and never answers ends in a deadline after 20 s.

    The stand-in waits as many seconds of the lab's time, the real one as many of its own.
    """
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("silent")
    await world.machines.start()
    node = address_of(world, "cp1")
    write_talosconfig(talosctl, world.cluster, node)

    result = await talosctl.run("version", "--short", "-n", node, speed=100.0)

    assert result.code == 1
    asked = talosctl.failed("getting version", node)
    assert result.error == (
        f'{asked}{_UNAVAILABLE}"transport: authentication handshake failed: '
        'context deadline exceeded"'
    )


@pytest.mark.row("host silent")
async def test_a_partitioned_host(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A host from which nothing comes back, not even a refusal, ends in a timeout after 20 s.

    The stand-in waits as many seconds of the lab's time, the real one as many of its own.
    """
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("partitioned")
    await world.machines.start()
    node = address_of(world, "cp1")
    write_talosconfig(talosctl, world.cluster, node)

    result = await talosctl.run("version", "--short", "-n", node, speed=100.0)
    world.machines["cp1"].set_fault("partitioned", on=False)
    mended = await talosctl.run("version", "--short", "-i", "-n", node)

    assert (result.code, mended.code) == (1, 0)
    asked = talosctl.failed("getting version", node)
    assert result.error == (
        f'{asked}{_UNAVAILABLE}"transport: Error while dialing: dial tcp '
        f'{node}:{PORT}: i/o timeout"'
    )


@pytest.mark.row("server's CA unknown")
async def test_an_unknown_authority(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Maintenance mode and another cluster's machine look alike to a secure call."""
    world = make_world(["cp1"])
    await world.machines.start()
    node = address_of(world, "cp1")
    write_talosconfig(talosctl, world.cluster, node)
    maintenance = await talosctl.run("version", "--short", "-n", node)
    await world.configure("cp1")
    write_talosconfig(talosctl, Cluster(), node)
    foreign = await talosctl.run("version", "--short", "-n", node)

    asked = talosctl.failed("getting version", node)
    start = (
        f'{asked}{_UNAVAILABLE}"transport: authentication handshake failed: tls: '
        "failed to verify certificate: x509: certificate signed by unknown authority"
    )
    hint = (
        ' (possibly because of \\"x509: Ed25519 verification failure\\" while trying to verify '
        'candidate authority certificate \\"talos\\")'
    )
    assert (maintenance.code, foreign.code) == (1, 1)
    assert maintenance.error.startswith(start)
    assert foreign.error == f'{start}{hint}"'


@pytest.mark.row("address not among the certificate's names")
async def test_a_wrong_name(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """An endpoint that the certificate does not name is refused by the client."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1", bootstraps=False)
    node = address_of(world, "cp1")
    strange = f"127.{int(node.split('.')[1]) + 1}.0.9"
    proxy = await asyncio.start_server(_make_pipe(node), strange, PORT)
    async with proxy:
        write_talosconfig(talosctl, world.cluster, strange)
        result = await talosctl.run("version", "--short", "-n", NODES["cp1"])

    assert result.code == 1
    asked = talosctl.failed("getting version", NODES["cp1"])
    assert result.error == (
        f'{asked}{_UNAVAILABLE}"transport: authentication handshake failed: tls: '
        f"failed to verify certificate: x509: certificate is valid for {NODES['cp1']}, {node}, "
        f'127.0.0.1, ::1, not {strange}"'
    )


@pytest.mark.row("--insecure against a configured machine")
async def test_insecure_against_a_configured_machine(
    make_world: MakeWorld, talosctl: Talosctl
) -> None:
    """The machine wants a certificate and says so in TLS's own words."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1", bootstraps=False)

    node = address_of(world, "cp1")

    result = await talosctl.run("version", "--short", "-i", "-n", node)

    assert result.code == 1
    asked = talosctl.failed("getting version", node)
    assert result.error == (
        f'{asked}{_UNAVAILABLE}"error reading server preface: remote error: tls: '
        'certificate required"'
    )


@pytest.mark.row("role missing")
async def test_a_missing_role(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A reader may look and may not act."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"), role="os:reader")
    one = ("-n", NODES["cp1"])

    allowed = await talosctl.run("etcd", "members", *one)
    refused = await talosctl.run("reboot", *one, "--wait=false")
    secret = await talosctl.run("get", "machineconfig", *one)

    assert allowed.code == 0
    assert (refused.code, secret.code) == (1, 1)
    assert "code = PermissionDenied desc = not authorized" in refused.error
    assert "code = PermissionDenied desc = not authorized" in secret.error


@pytest.mark.row("control-plane call on a worker")
async def test_a_worker_has_no_etcd(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A worker says which call is only for control planes."""
    world = make_world(["cp1", "w1"])
    await make_cluster(world, talosctl, "cp1", "w1")

    members = await talosctl.run("etcd", "members", "-n", NODES["w1"])
    begin = await talosctl.run("bootstrap", "-n", NODES["w1"])

    assert (members.code, begin.code) == (1, 1)
    assert (
        "code = Unimplemented desc = member list is only available on control plane nodes"
    ) in members.error
    assert (
        "code = Unimplemented desc = bootstrap is only available on control plane nodes"
    ) in begin.error


@pytest.mark.row("-n names a machine that the endpoint cannot reach")
async def test_a_machine_behind_the_endpoint(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The endpoint tells of the one that is down, and what the others said is shown."""
    world = make_world(["cp1", "w1"])
    await make_cluster(world, talosctl, "cp1", "w1")
    world.machines["w1"].set_fault("unreachable")
    await world.until(lambda: not world.machines["w1"].is_reachable)
    dialled = (
        f'{_UNAVAILABLE}"transport: Error while dialing: dial tcp {NODES["w1"]}:{PORT}: connect: '
        'connection refused"'
    )

    alone = await talosctl.run("etcd", "members", "-n", NODES["w1"])
    both = await talosctl.run("version", "--short", "-n", f"{NODES['cp1']},{NODES['w1']}")

    assert (alone.code, both.code) == (1, int(talosctl.asks_each))
    assert alone.error.endswith(dialled)
    assert f"\tNODE:        {NODES['cp1']}" in both.stdout.splitlines()
    asked = talosctl.failed("getting version", NODES["w1"])
    assert both.stderr.startswith(asked if talosctl.asks_each else "WARNING: 1 error occurred:\n")
    assert dialled in both.stderr


@pytest.mark.row("no endpoints or context", "no nodes")
async def test_what_the_talosconfig_lacks(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """No file, no endpoints, no such context, no nodes: four texts."""
    one = ("version", "--short", "-n", f"{PREFIX}11")
    empty = await talosctl.run(*one)
    world = make_world(["cp1"])
    write_talosconfig(talosctl, world.cluster)
    endpoints = await talosctl.run(*one)
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    context = await talosctl.run(*one, "--context", "nope", "-e", address_of(world, "cp1"))
    nodes = await talosctl.run("version", "--short")

    assert {r.code for r in (empty, endpoints, context, nodes)} == {1}
    asked = talosctl.failed("getting version", f"{PREFIX}11") if talosctl.asks_each else ""
    wanted = f"{asked}error constructing client: failed to determine endpoints"
    assert empty.error == endpoints.error == wanted
    assert context.error.endswith('context "nope" not found in config')
    assert nodes.error == (
        "nodes are not set for the command: please use `--nodes` flag or configuration file to "
        "set the nodes to run the command against"
    )


@pytest.mark.row("bootstrap too early")
async def test_bootstrap_too_early(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """While CRI is not up, bootstrap is not available."""
    world = make_world(["cp1"], 100.0)
    machine = world.machines["cp1"]
    machine.set_fault("slow-bootstrap")
    await world.machines.start()
    before = machine.boot.id
    await world.apply("cp1")
    await world.until(lambda: machine.boot.id != before)
    # The wait for CRI, which comes next, is to be longer than any call takes.
    world.clock.change_speed(4.0)
    await world.until(lambda: machine.is_reachable)
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))

    result = await talosctl.run("bootstrap", "-n", NODES["cp1"])

    assert result.code == 1
    assert result.error.endswith("code = FailedPrecondition desc = bootstrap is not available yet")


@pytest.mark.row("time not in sync")
async def test_time_not_in_sync(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Without time there is no bootstrap, and the machine's status says why."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("time-not-synced")
    await make_cluster(world, talosctl, "cp1", bootstraps=False)

    result = await talosctl.run("bootstrap", "-n", NODES["cp1"])
    status = await talosctl.run("get", "timestatus", "-o", "yaml", "-n", NODES["cp1"])

    assert result.code == 1
    assert result.error.endswith("code = FailedPrecondition desc = time is not in sync yet")
    assert "synced: false" in status.stdout


def _make_pipe(
    host: str,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Make a relay to a machine: the same machine under another address."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, PORT)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            back.close()
            writer.close()

    return relay


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
    except ConnectionError:
        return
    finally:
        sink.close()
