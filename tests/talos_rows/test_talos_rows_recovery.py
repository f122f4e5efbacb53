"""Snapshots of etcd, and clusters that begin from one."""

from __future__ import annotations

import pytest

from lab.snapshots import StoredKey, read_contents, read_status, verify_checksum
from tests.lab_machines.lab_machines_world import MakeWorld
from tests.talos_rows.talos_rows_tool import NODES, Talosctl, make_cluster

pytestmark = pytest.mark.tools

_KEY = StoredKey("/registry/configmaps/default/kept", b'{"data":{"a":"b"}}', 41)


@pytest.mark.row("etcd snapshot", "bootstrap --recover-from")
async def test_snapshot_and_recovery(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A saved snapshot is described, and a cluster begins from it after its data was lost."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    world.plane.keys = (_KEY,)
    path = talosctl.home / "etcd.snapshot"

    saved = await talosctl.run("etcd", "snapshot", str(path), "-n", NODES["cp1"])
    described = read_status(path.read_bytes()).describe()
    machine = world.machines["cp1"]
    machine.etcd = None  # its data is gone, as after `reset --system-labels-to-wipe EPHEMERAL`
    before = machine.boot.id
    machine.request_reboot()
    await world.until(lambda: machine.boot.id != before)
    await world.wait_configured("cp1")
    world.plane.keys = (_KEY, _KEY)
    recovered = await talosctl.run("bootstrap", "--recover-from", str(path), "-n", NODES["cp1"])
    await world.wait_ready()

    assert (saved.code, saved.stderr) == (0, "")
    assert saved.stdout == (
        f'etcd snapshot saved to "{path}" ({path.stat().st_size} bytes)\n'
        f"snapshot info: {described}\n"
    )
    assert read_contents(verify_checksum(path.read_bytes())).keys == (_KEY,)
    assert (recovered.code, recovered.stderr) == (0, "")
    assert recovered.stdout == f'recovering from snapshot "{path}": {described}\n'
    assert list(world.plane.keys) == [_KEY]
    assert world.ledger.acts["etcd.recover"] == 1


@pytest.mark.row("copy", "bootstrap --recover-from")
async def test_recovery_from_a_data_directory(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A copied database has no checksum: it recovers a cluster only when that is not asked for."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    world.plane.keys = (_KEY,)
    one = ("-n", NODES["cp1"])
    folder = talosctl.home / "copied"
    database = "/var/lib/etcd/member/snap/db"

    copied = await talosctl.run("cp", database, str(folder), *one)
    missing = await talosctl.run("cp", "/nope", str(folder), *one)
    machine = world.machines["cp1"]
    machine.etcd = None
    before = machine.boot.id
    machine.request_reboot()
    await world.until(lambda: machine.boot.id != before)
    await world.wait_configured("cp1")
    words = ("bootstrap", "--recover-from", str(folder / "db"), *one)
    sent = await talosctl.run(*words)
    await world.until(lambda: any("error recovering" in line for line in machine.boot.console))
    skipped = await talosctl.run(*words, "--recover-skip-hash-check")
    await world.wait_ready()

    assert (copied.code, copied.stdout) == (0, ""), copied.stderr
    assert (missing.code, "/nope: no such file or directory" in missing.error) == (1, True)
    assert (sent.code, skipped.code) == (0, 0)
    assert world.ledger.acts["etcd.recover"] == 1


@pytest.mark.row("bootstrap --recover-from")
async def test_recovery_of_a_file_that_is_none(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A file that is missing, or no database, is refused before anything is sent."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1", bootstraps=False)
    wrong = talosctl.write("wrong", b"x" * 9000)

    missing = await talosctl.run("bootstrap", "--recover-from", "/nope", "-n", NODES["cp1"])
    refused = await talosctl.run("bootstrap", "--recover-from", wrong, "-n", NODES["cp1"])

    assert (missing.code, missing.error) == (1, "stat /nope: no such file or directory")
    assert (refused.code, refused.error) == (1, "invalid database")
    assert "rpc.Bootstrap/cp1" not in world.ledger.acts
