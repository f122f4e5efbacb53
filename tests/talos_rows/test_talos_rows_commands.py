"""Commands that read, configure and begin a cluster: output, exit code, error text."""

from __future__ import annotations

import json

import pytest
import yaml

from lab.machines import Stage
from tests.lab_machines.lab_machines_world import MakeWorld
from tests.talos_rows.talos_rows_tool import (
    NODES,
    Talosctl,
    address_of,
    find_columns,
    make_cluster,
    write_talosconfig,
)

pytestmark = pytest.mark.tools


@pytest.mark.row("apply-config")
async def test_apply_config(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Applying prints its mode to stderr; a wrong config is refused with the server's text."""
    world = make_world(["cp1"])
    await world.machines.start()
    node = address_of(world, "cp1")
    install = {"diskSelector": {"serial": "NOPE"}, "image": "i:v1.13.9"}
    wrong = talosctl.write("wrong", world.cluster.write_config("cp1", install=install))
    right = talosctl.write("right", world.cluster.write_config("cp1"))

    refused = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", wrong)
    dry = await talosctl.run("apply-config", "-i", "-n", node, "-f", right, "--dry-run")
    applied = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", right)
    missing = await talosctl.run("apply-config", "--insecure", "-n", node, "-f", "/nope")

    assert (refused.code, refused.stdout) == (1, "")
    applying = (
        f"{node}: error applying configuration"
        if talosctl.asks_each
        else "error applying new configuration"
    )
    assert refused.error.startswith(f"{applying}: rpc error: code = InvalidArgument desc = ")
    assert "no disks matched the expression" in refused.error
    assert (dry.code, dry.stdout) == (0, "")
    assert dry.stderr.startswith("Dry run summary:\n")
    assert (applied.code, applied.stdout) == (0, "")
    assert applied.stderr == "Applied configuration without a reboot\n"
    assert (missing.code, missing.error) == (
        1,
        'failed to read configuration from "/nope": open /nope: no such file or directory',
    )


@pytest.mark.row("bootstrap", "bootstrap a second time")
async def test_bootstrap(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The first bootstrap says nothing; the second finds data; a worker has no such call."""
    world = make_world(["cp1", "w1"])
    await make_cluster(world, talosctl, "cp1", "w1", bootstraps=False)

    first = await talosctl.run("bootstrap", "-n", NODES["cp1"])
    await world.wait_ready()
    second = await talosctl.run("bootstrap", "-n", NODES["cp1"])
    two = await talosctl.run("bootstrap", "-n", f"{NODES['cp1']},{NODES['w1']}")

    assert (first.code, first.stdout, first.stderr) == (0, "", "")
    assert second.code == 1
    one = "" if talosctl.asks_each else f"1 error occurred:\n\t* {NODES['cp1']}: "
    assert second.error == (
        f"error executing bootstrap: {one}rpc error: code = "
        "AlreadyExists desc = etcd data directory is not empty"
    )
    too_many = (
        "requires exactly one node (got 2)"
        if talosctl.asks_each
        else "is not supported with multiple nodes"
    )
    assert (two.code, two.error) == (1, f'command "bootstrap" {too_many}')
    assert world.ledger.acts["etcd.bootstrap"] == 1


@pytest.mark.row("get")
async def test_get(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Tables, JSON, YAML and JSONPath of one resource; unknown types and ids are told."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    one = ("-n", NODES["cp1"])

    table = await talosctl.run("get", "disks", *one)
    as_json = await talosctl.run("get", "machinestatus", "-o", "json", *one)
    as_yaml = await talosctl.run("get", "machinestatuses", "-o", "yaml", *one)
    stage = await talosctl.run("get", "MachineStatus", "-o", "jsonpath={.spec.stage}", *one)
    ambiguous = await talosctl.run("get", "ms", *one)
    unknown = await talosctl.run("get", "nosuch", *one)
    absent = await talosctl.run("get", "disks", "nope", *one)

    assert table.rows[0][:6] == ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION", "SIZE"]
    assert [row[3] for row in table.rows[1:]] == ["sda", "sr0"]
    found = json.loads(as_json.stdout)
    assert (found["node"], found["spec"]["stage"]) == (NODES["cp1"], "running")
    assert yaml.safe_load(as_yaml.stdout)["metadata"]["id"] == "machine"
    assert (stage.code, stage.stdout) == (0, "running\n")
    assert (unknown.code, unknown.error) == (
        1,
        'rpc error: code = NotFound desc = resource "nosuch" is not registered',
    )
    both = "machinestatuses.runtime.talos.dev manifeststatuses.kubernetes.talos.dev"
    assert (ambiguous.code, ambiguous.error) == (
        1,
        f'rpc error: code = InvalidArgument desc = resource type "ms" is ambiguous: [{both}]',
    )
    assert absent.code == 1
    asked = (
        f"error getting resource on node {NODES['cp1']}: "
        if talosctl.asks_each
        else "1 error occurred:\n\t* "
    )
    assert absent.error == (
        f"{asked}rpc error: code = NotFound desc = "
        "resource Disks.block.talos.dev(runtime/nope@undefined) doesn't exist"
    )


@pytest.mark.row("get")
async def test_get_in_maintenance(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Status and hardware are readable with `--insecure`."""
    world = make_world(["cp1"])
    await world.machines.start()
    one = ("--insecure", "-n", address_of(world, "cp1"))

    status = await talosctl.run("get", "machinestatus", "-o", "json", *one)
    disks = await talosctl.run("get", "disks", *one)
    links = await talosctl.run("get", "links", "eth0", "-o", "json", *one)

    assert json.loads(status.stdout)["spec"]["stage"] == "maintenance", status.stderr
    place = 3 if talosctl.asks_each else 2  # before 1.14, the cell of the node is empty here
    assert [row[place] for row in disks.rows[1:]] == ["sda", "sr0"]
    assert json.loads(links.stdout)["spec"]["hardwareAddr"] == (
        world.machines["cp1"].hardware.nics[0].mac
    )


@pytest.mark.row("version")
async def test_version(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Client and server with their tags; in maintenance mode with `--insecure`."""
    world = make_world(["cp1"])
    await world.machines.start()
    node = address_of(world, "cp1")

    maintenance = await talosctl.run("version", "--insecure", "-n", node)
    await world.configure("cp1")
    write_talosconfig(talosctl, world.cluster, node)
    short = await talosctl.run("version", "--short", "-n", NODES["cp1"])

    assert (maintenance.code, maintenance.stderr) == (0, "")
    client = talosctl.version
    tags = [line.split()[1] for line in maintenance.stdout.splitlines() if "Tag:" in line]
    assert tags == [client, "v1.13.9"]
    lines = short.stdout.splitlines()
    assert lines[:3] == ["Client:", f"Talos {client}", "Server:"]
    assert f"\tNODE:        {NODES['cp1']}" in lines


@pytest.mark.row("service")
async def test_service(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The list, one service's state, a restart, and a service that is not there."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    one = ("-n", NODES["cp1"])

    listed = await talosctl.run("service", *one)
    etcd = await talosctl.run("service", "etcd", *one)
    again = await talosctl.run("service", "kubelet", "restart", *one)
    unknown = await talosctl.run("service", "nosuch", *one)

    assert listed.rows[0][:4] == ["NODE", "SERVICE", "STATE", "HEALTH"]
    assert {"apid", "cri", "etcd", "kubelet", "machined", "trustd"} <= {
        row[1] for row in listed.rows[1:]
    }
    assert ["ID", "etcd"] in etcd.rows
    assert ["STATE", "Running"] in etcd.rows
    assert (again.code, 'Service "kubelet" restarted' in again.stdout) == (0, True)
    assert (unknown.code, unknown.error) == (
        1,
        'service "nosuch" is not registered on any nodes',
    )


@pytest.mark.row("kubeconfig")
async def test_kubeconfig(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Written whole, refused over a file without force, and not to be had from a worker."""
    world = make_world(["cp1", "w1"])
    await make_cluster(world, talosctl, "cp1", "w1")
    path = talosctl.home / "kubeconfig"
    words = ("kubeconfig", "--merge=false", "-n")

    written = await talosctl.run(*words, NODES["cp1"], str(path))
    again = await talosctl.run(*words, NODES["cp1"], str(path))
    forced = await talosctl.run(*words, NODES["cp1"], "--force", str(path))
    worker = await talosctl.run(*words, NODES["w1"], str(path), "--force")

    assert (written.code, written.stdout, written.stderr) == (0, "", "")
    assert yaml.safe_load(path.read_text())["current-context"] == "admin@lab"
    assert (again.code, again.error) == (
        1,
        f'kubeconfig file already exists, use --force to overwrite: "{path}"',
    )
    assert forced.code == 0
    assert worker.code == 1
    assert "kubeconfig is only available on control plane nodes" in worker.error


@pytest.mark.row("health")
async def test_health(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Each check is told on stderr, and the exit code says whether all held in time."""
    world = make_world(["cp1", "w1"])
    await make_cluster(world, talosctl, "cp1", "w1")
    words = ("health", "-n", NODES["cp1"], "--wait-timeout")

    good = await talosctl.run(*words, "30s")
    world.plane.not_ready.add("w1")
    bad = await talosctl.run(*words, "1s")

    said = good.stderr.splitlines()
    assert (good.code, good.stdout) == (0, "")
    assert said[0] == f'discovered nodes: ["{NODES["cp1"]}" "{NODES["w1"]}"]'
    assert said[1:3] == [
        "waiting for etcd to be healthy: ...",
        "waiting for etcd to be healthy: OK",
    ]
    assert said[-1] == "waiting for all k8s nodes to report schedulable: OK"
    assert bad.code == 1
    assert 'report ready: some nodes are not ready: ["w1"]' in bad.stderr
    assert "code = DeadlineExceeded desc = context deadline exceeded" in bad.stderr


@pytest.mark.row("etcd members, status")
async def test_etcd_tables(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Members and status are tables, of one node or of several."""
    world = make_world(["cp1", "cp2"])
    await make_cluster(world, talosctl, "cp1", "cp2")
    both = f"{NODES['cp1']},{NODES['cp2']}"

    members = await talosctl.run("etcd", "members", "-n", NODES["cp1"])
    status = await talosctl.run("etcd", "status", "-n", both)

    found = find_columns(members, "NODE", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER")
    assert sorted(found) == [
        (
            NODES["cp1"],
            "cp1",
            f"https://{NODES['cp1']}:2380",
            f"https://{NODES['cp1']}:2379",
            "false",
        ),
        (
            NODES["cp1"],
            "cp2",
            f"https://{NODES['cp2']}:2380",
            f"https://{NODES['cp2']}:2379",
            "false",
        ),
    ]
    leaders = {row[0] for row in find_columns(status, "LEADER")}
    assert (len(leaders), len(status.rows)) == (1, 3)


@pytest.mark.row("etcd remove-member, leave")
async def test_etcd_membership(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A member leaves; unknown members, malformed ids and the last member are refused."""
    world = make_world(["cp1", "cp2"])
    await make_cluster(world, talosctl, "cp1", "cp2")
    one = ("-n", NODES["cp1"])

    unknown = await talosctl.run("etcd", "remove-member", "00000000000000ab", *one)
    malformed = await talosctl.run("etcd", "remove-member", "xyz", *one)
    left = await talosctl.run("etcd", "leave", "-n", NODES["cp2"])
    last = await talosctl.run("etcd", "leave", *one)

    assert (unknown.code, "etcdserver: member not found" in unknown.error) == (1, True)
    assert "code = NotFound" in unknown.error
    assert malformed.error == (
        "error parsing member ID: error parsing etcd member id: strconv.ParseUint: parsing "
        '"xyz": invalid syntax'
    )
    assert (left.code, left.stdout) == (0, "")
    data = world.machines["cp1"].etcd
    assert data is not None
    assert [member.name for member in data.cluster.members.values()] == ["cp1"]
    assert last.code == 1
    assert "re-configuration failed due to not enough started members" in last.error


@pytest.mark.row("etcd defrag, alarm, forfeit-leadership")
async def test_etcd_upkeep(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Upkeep says nothing when all is well; one member has nobody to lead instead."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    one = ("-n", NODES["cp1"])

    defrag = await talosctl.run("etcd", "defrag", *one)
    alarms = await talosctl.run("etcd", "alarm", "list", *one)
    disarmed = await talosctl.run("etcd", "alarm", "disarm", *one)
    forfeit = await talosctl.run("etcd", "forfeit-leadership", *one)

    assert [(r.code, r.stdout) for r in (defrag, alarms, disarmed)] == [(0, "")] * 3
    assert forfeit.code == 1
    assert forfeit.error.endswith(
        "failed to forfeit leadership: cannot forfeit leadership, only one member"
    )


@pytest.mark.row("meta")
async def test_meta(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A key is written, shown and deleted once; keys beyond a byte are refused."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    one = ("-n", NODES["cp1"])

    written = await talosctl.run("meta", "write", "0x0a", "kept", *one)
    shown = await talosctl.run("get", "meta", "0x0a", "-o", "jsonpath={.spec.value}", *one)
    deleted = await talosctl.run("meta", "delete", "0x0a", *one)
    again = await talosctl.run("meta", "delete", "0x0a", *one)
    large = await talosctl.run("meta", "write", "256", "x", *one)

    assert [(r.code, r.stdout, r.stderr) for r in (written, deleted)] == [(0, "", "")] * 2
    assert shown.stdout == "kept\n"
    assert again.code == 1
    asked = (
        talosctl.failed("deleting meta", NODES["cp1"])
        if talosctl.asks_each
        else f"1 error occurred:\n\t* {NODES['cp1']}: "
    )
    assert again.error == f"{asked}rpc error: code = NotFound desc = meta key not found"
    assert (large.code, large.error) == (
        1,
        'strconv.ParseUint: parsing "256": value out of range',
    )


@pytest.mark.row("list, read, dmesg")
async def test_files_and_console(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A folder, a file, the console."""
    world = make_world(["cp1"])
    await make_cluster(world, talosctl, "cp1")
    one = ("-n", NODES["cp1"])

    listed = await talosctl.run("list", "/var/lib/etcd", *one)
    boot_id = await talosctl.run("read", "/proc/sys/kernel/random/boot_id", *one)
    missing = await talosctl.run("read", "/nope", *one)
    console = await talosctl.run("dmesg", *one)

    # Only a table of several nodes has columns from 1.14 on.
    names = [row[-1] for row in listed.rows]
    assert names == ([".", "member"] if talosctl.asks_each else ["NAME", ".", "member"])
    assert boot_id.stdout.strip() == world.machines["cp1"].boot.id
    assert missing.code == 1
    assert "/nope: no such file or directory" in missing.error
    assert f"machine stage: {Stage.RUNNING}" in console.stdout
