"""What the talosctl door promises: argv, parsers by captured outputs, kinds of failure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lifecycle.drivers.addresses import AddressBook
from lifecycle.drivers.documents import Json, JsonObject, list_at, parse_json, text_at
from lifecycle.drivers.talosctl import (
    DiscoveredVolume,
    Disk,
    Failure,
    Link,
    MachineStatus,
    Resource,
    Service,
    Talosctl,
    TalosctlError,
    UnmetCondition,
    classify,
)
from lifecycle.drivers.talosctl.tables import parse_folder, parse_service_state
from lifecycle.drivers.talosctl.values import parse_etcd_members, parse_resources, parse_version
from lifecycle.errors import CommandTimedOutError
from tests.drivers.fakes import CASES, ScriptedRunner

READERS: Mapping[str, Callable[[Resource], Disk | DiscoveredVolume | Link | Service]] = {
    "Disk": Disk.from_resource,
    "DiscoveredVolume": DiscoveredVolume.from_resource,
    "Link": Link.from_resource,
    "Service": Service.from_resource,
}
TALOSCONFIG = Path(os.devnull)  # a file that is there is all that a scripted call needs
REFUSED = (CASES / "talosctl-failures" / "nothing-listens.json").read_text()


def cases(folder: str, suffix: str) -> list[Path]:
    """Return the case files of a folder."""
    return sorted((CASES / folder).glob(f"*{suffix}"))


def expected_of(case: Path) -> Json:
    """Return the wanted value beside a captured output."""
    return parse_json(case.with_suffix(".json").read_text())


def plain(value: object) -> Json:
    """Return a value as JSON has it."""
    return parse_json(json.dumps(value))


def talosctl(runner: ScriptedRunner, **addresses: str) -> Talosctl:
    """Return a talosctl on a scripted runner."""
    return Talosctl("talosctl", runner, AddressBook(addresses), TALOSCONFIG)


@pytest.mark.parametrize("case", cases("talosctl-failures", ".json"), ids=lambda case: case.stem)
def test_error_text_has_its_kind(case: Path) -> None:
    """Each known error text of talosctl is recognised for what it means."""
    document = parse_json(case.read_text())

    assert classify(text_at(document, "stderr")).name == text_at(document, "failure")


@pytest.mark.parametrize("case", cases("etcd-members", ".txt"), ids=lambda case: case.stem)
def test_etcd_members_are_read_below_their_headers(case: Path) -> None:
    """Members are read with and without the NODE column, and with empty cells."""
    members = [plain(asdict(member)) for member in parse_etcd_members(case.read_text())]

    assert members == expected_of(case)


@pytest.mark.parametrize("case", cases("talosctl-folder", ".txt"), ids=lambda case: case.stem)
def test_folder_is_read_without_itself(case: Path) -> None:
    """The names in a folder are read from the table of 1.13 and from the bare names after it."""
    assert plain(parse_folder(case.read_text())) == expected_of(case)


@pytest.mark.parametrize("said", ["", "NODE   NAME\n"])
def test_folder_that_was_not_answered_is_not_empty(said: str) -> None:
    """Without the folder itself there is no answer: silence must not look like an empty folder."""
    with pytest.raises(ValueError, match="no answer"):
        parse_folder(said)


@pytest.mark.parametrize("case", cases("talosctl-service", ".txt"), ids=lambda case: case.stem)
def test_service_state_is_the_present_one(case: Path) -> None:
    """The state is read, not one of the events below it."""
    assert plain(parse_service_state(case.read_text())) == expected_of(case)


@pytest.mark.parametrize("case", cases("talosctl-version", ".txt"), ids=lambda case: case.stem)
def test_version_is_the_servers(case: Path) -> None:
    """The version is that of the node, not of the client printed before it."""
    assert plain(asdict(parse_version(case.read_text()))) == expected_of(case)


@pytest.mark.parametrize("case", cases("talosctl-get", ".txt"), ids=lambda case: case.stem)
def test_resources_become_values(case: Path) -> None:
    """Resources printed one after the other become values of their kind."""
    expected = expected_of(case)
    read = READERS[text_at(expected, "as")]

    values = [plain(asdict(read(item))) for item in parse_resources(case.read_text())]

    assert values == list_at(expected, "values")


def test_machine_status_says_what_it_waits_for() -> None:
    """The unmet conditions of a booting machine come with their reasons."""
    unmet: Json = [{"name": "services", "reason": "etcd not running"}]
    spec: JsonObject = {"stage": "booting", "status": {"ready": False, "unmetConditions": unmet}}

    status = MachineStatus.from_spec(spec)

    assert status == MachineStatus(
        "booting", ready=False, unmet=(UnmetCondition("services", "etcd not running"),)
    )


async def test_secure_call_names_everything(scripted: ScriptedRunner) -> None:
    """A call names the talosconfig, and the dialled address as node and as endpoint."""
    scripted.answer("etcd members")

    await talosctl(scripted, **{"10.41.0.11": "127.41.0.11"}).etcd_members("10.41.0.11")

    words = "talosctl etcd members --nodes 127.41.0.11 --endpoints 127.41.0.11"
    assert scripted.asked == [(*words.split(), "--talosconfig", str(TALOSCONFIG))]


async def test_secure_call_needs_a_talosconfig(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """Without a talosconfig nothing is run: talosctl itself would make an empty one."""
    absent = Talosctl("talosctl", scripted, AddressBook({}), tmp_path / "talosconfig")

    with pytest.raises(TalosctlError) as caught:
        await absent.version("10.41.0.11")

    assert Failure.NO_TALOSCONFIG is caught.value.failure
    assert "this cluster has no talosconfig yet" == caught.value.message
    assert [] == scripted.asked
    assert not (tmp_path / "talosconfig").exists()


async def test_insecure_call_says_so(scripted: ScriptedRunner) -> None:
    """A call to a machine in maintenance mode is insecure and asks that machine alone."""
    scripted.answer("get disks -o json")

    await talosctl(scripted).disks("10.41.0.11", insecure=True)

    assert "--insecure" in scripted.asked[0]


async def test_machines_in_maintenance_give_way(scripted: ScriptedRunner) -> None:
    """What asks a machine in maintenance mode gives way; what changes one does not."""
    patient = ScriptedRunner()
    patient.answer("get disks", stdout="[]")
    scripted.answer("apply-config")
    tool = replace(talosctl(scripted), patient=patient)

    await tool.disks("10.41.0.11", insecure=True)
    await tool.apply_config("10.41.0.11", Path("a.yaml"), insecure=True)

    asked = [argv[1:3] for argv in (*patient.asked, *scripted.asked)]
    assert [("get", "disks"), ("apply-config", "--file")] == asked


async def test_failure_says_what_stood_in_the_way(scripted: ScriptedRunner) -> None:
    """A failed call raises one error whose kind says whether a retry can help."""
    scripted.answer("version", stderr=text_at(parse_json(REFUSED), "stderr"), returncode=1)

    with pytest.raises(TalosctlError) as caught:
        await talosctl(scripted).version("10.41.0.11")

    error = caught.value
    assert (error.node, error.failure, error.failure.is_retryable) == (
        "10.41.0.11",
        Failure.REFUSED,
        True,
    )


async def test_silence_is_a_timeout(scripted: ScriptedRunner) -> None:
    """A call that had to be ended counts as a machine that gives no answer."""
    scripted.fail("version", CommandTimedOutError(["talosctl"], timeout_s=30))

    with pytest.raises(TalosctlError) as caught:
        await talosctl(scripted).version("10.41.0.11")

    assert (caught.value.failure, caught.value.failure.is_unreachable) == (Failure.TIMEOUT, True)


async def test_warning_without_an_answer_is_a_failure(scripted: ScriptedRunner) -> None:
    """An exit code of 0 with an error among the warnings and no answer is a failure."""
    scripted.answer("etcd members", stderr="WARNING: rpc error: code = Unavailable desc = EOF")

    with pytest.raises(TalosctlError) as caught:
        await talosctl(scripted).etcd_members("10.41.0.11")

    assert caught.value.failure == Failure.CUT


async def test_apply_returns_warnings_apart(scripted: ScriptedRunner) -> None:
    """What a machine says to its config comes back, its warnings apart."""
    scripted.answer("apply-config", stderr="WARNING: old field\nApplied configuration now\n")

    result = await talosctl(scripted).apply_config("10.41.0.11", Path("a.yaml"), insecure=True)

    assert (result.details, result.warnings) == (
        "Applied configuration now",
        ("WARNING: old field",),
    )


async def test_kubeconfig_stays_in_memory(scripted: ScriptedRunner) -> None:
    """The kubeconfig comes through a pipe, as a secret."""
    scripted.answer("kubeconfig - --merge=false", "apiVersion: v1")

    kubeconfig = await talosctl(scripted).kubeconfig("10.41.0.11")

    assert (kubeconfig.reveal(), str(kubeconfig)) == (b"apiVersion: v1", "***")


def test_resource_keeps_its_identity() -> None:
    """A resource has id, type, namespace, version and spec."""
    text = '{"metadata":{"id":"a","type":"T","namespace":"n","version":2},"spec":{"x":1}}'

    assert parse_resources(text * 2) == (Resource("a", "T", "n", 2, {"x": 1}),) * 2
