"""Looking into a failure: bounded in time, and never a failure of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from lifecycle.diagnosis.asking import Room, Subject, find_subject, list_kustomizations
from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.explaining import explain_sight, merge_causes
from lifecycle.diagnosis.facts import Facts, gather_facts, make_facts
from lifecycle.diagnosis.machines import (
    MachineSight,
    explain_etcd,
    explain_machine,
    take_machine_sight,
)
from lifecycle.diagnosis.requests import explain_requests
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.sight import Sight, make_sight, take_sight
from lifecycle.diagnosis.values import Diagnosis, Key, clean
from lifecycle.drivers.talosctl import EtcdMember
from lifecycle.errors import ApiError, DriverError
from lifecycle.world import World

__all__ = ["diagnose"]

_BOUND_S = 15.0  # wall seconds: somebody waits for the end of a failed run
_API_SERVER = "kube-apiserver"  # whose own words some signatures are
_MOST = 5  # more causes at once are read by nobody


@dataclass(slots=True)
class _Notes:
    """What is found so far, so that running out of time loses nothing."""

    found: list[Diagnosis] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


async def diagnose(world: World, step_name: str, seen: str = "") -> tuple[Diagnosis, ...]:
    """Find the first causes of a failed step or gate, the most telling first.

    Args:
        world: What the run was made on.
        step_name: Journal key of the step or gate.
        seen: What its error said, matched as it is when nothing more is found.

    Returns:
        At most five causes; none for what says everything itself, such as the preflight. What
        could not be looked at is the last line of evidence, `could not look further: ...`.
    """
    notes = _Notes()
    subject = find_subject(step_name)
    if subject.room is Room.NOWHERE:
        return ()
    if told := _explain_api(world, seen):
        return tuple(told)  # an API server that fails shows nothing else rightly
    try:
        async with asyncio.timeout(_BOUND_S):
            await _look(world, subject, notes)
    except TimeoutError:
        notes.limits.append(f"it took longer than {_BOUND_S:.0f} s")
    except Exception as error:  # noqa: BLE001 (a diagnosis never makes a failure worse)
        notes.limits.append(f"{type(error).__name__}: {error}")
    words = _explain_words(world, seen)
    if not notes.found or (_is_mute(words) and not _is_unreached(notes.found)):
        notes.found[:0] = words
    return _close(notes)


def _is_mute(words: list[Diagnosis]) -> bool:
    """Tell whether an API server took a connection and gave no answer: machines tell less."""
    return any(d.signature == "api-hanging" for d in words)


def _is_unreached(found: list[Diagnosis]) -> bool:
    """Tell whether a machine gives no answer either: then it is not its API server alone."""
    return any(d.signature == "machine-unreachable" for d in found)


async def _look(world: World, subject: Subject, notes: _Notes) -> None:
    """Look where the cause should be, from the ground up: machines, nodes, then what runs."""
    facts = make_facts(world.inventory, accepted=world.options.accepted, brought={})
    if subject.room in {Room.MACHINES, Room.ETCD}:
        notes.found += await _explain_machines(world, facts, subject)
        return
    try:
        sight = await take_sight(await world.access.api())
    except ApiError as error:
        notes.found += await _explain_silence(world, facts, error)
        return
    notes.limits += sight.unseen
    if subject.room is Room.NODES:
        notes.found += _explain_absent_nodes(world, facts, sight)
        notes.found += explain_requests(world.talos.nodes, facts, sight)
    before = tuple(notes.found)
    awaited = list_kustomizations(world.inventory, subject, world.options.accepted)
    notes.found += explain_sight(sight, facts, subject, awaited)
    if any(d.signature == "kind-not-served" for d in notes.found):
        # Who brings a kind is read from the charts, which may take a while.
        facts = await gather_facts(world)
        notes.found = [*before, *explain_sight(sight, facts, subject, awaited)]
    if any(d.signature in {"kubelet-silent", "node-missing"} for d in notes.found):
        notes.found[:0] = await _explain_machines(world, facts, Subject(Room.MACHINES))


async def _explain_machines(world: World, facts: Facts, subject: Subject) -> list[Diagnosis]:
    """Ask the machines: the one that the step is about, else all."""
    nodes = world.talos.nodes
    chosen = [node for node in nodes if node.hostname == subject.name] or list(nodes)
    seen = await asyncio.gather(*(take_machine_sight(world.talosctl, node) for node in chosen))
    if subject.room is Room.ETCD:
        missing = explain_etcd(facts, seen, await _list_members(world, seen))
        if missing:
            return [missing]
    found = (explain_machine(facts, machine) for machine in seen)
    return [diagnosis for diagnosis in found if diagnosis]


async def _list_members(world: World, seen: list[MachineSight]) -> tuple[EtcdMember, ...]:
    """List etcd's members by the first control plane that answers; none when none does."""
    for machine in seen:
        if machine.is_control_plane and machine.status is not None:
            try:
                return await world.talosctl.etcd_members(machine.address)
            except DriverError:
                continue
    return ()


async def _explain_silence(world: World, facts: Facts, error: ApiError) -> list[Diagnosis]:
    """Explain an API that does not answer by what it says itself, or else by the machines."""
    if told := _explain_api(world, error.message):
        return told
    found = await _explain_machines(world, facts, Subject(Room.ETCD))
    if found:
        return [d.under(f"the Kubernetes API does not answer: {error.message}") for d in found]
    first = world.first_control_plane
    scene = Scene(make_sight(()), facts, path=(Key("Node", "", first.hostname),))
    return [scene.name_cause("api-silent", reason=error.message, address=first.address)]


def _explain_absent_nodes(world: World, facts: Facts, sight: Sight) -> list[Diagnosis]:
    if not sight.of_kind("Node") and sight.unseen:
        return []  # perhaps they are there
    keys = [Key("Node", "", node.hostname) for node in world.talos.nodes]
    return [
        Scene(sight, facts, path=(key,)).name_cause(
            "node-missing", address=facts.addresses.get(key.name, "")
        )
        for key in keys
        if sight.find(key) is None
    ]


def _explain_api(world: World, seen: str) -> list[Diagnosis]:
    """Explain what an API server says of itself."""
    match = match_message(seen)
    if match is None or match.signature.seen_in != _API_SERVER:
        return []
    address = world.first_control_plane.address
    scene = Scene(make_sight(()), Facts(), path=(Key("", "", ""),))
    return [scene.name_cause(match.signature.id, reason=seen, address=address)]


def _explain_words(world: World, seen: str) -> list[Diagnosis]:
    """Explain by the words of the error alone, of the control plane that it names, or the first."""
    if not seen or match_message(seen) is None:
        return []
    scene = Scene(make_sight(()), Facts(), path=(Key("", "", ""),))
    named = [node for node in world.talos.control_planes if f"{node.hostname}: " in seen]
    address = (named or [world.first_control_plane])[0].address
    return [scene.blame(seen, "release-failing", address=address).under(seen)]


def _close(notes: _Notes) -> tuple[Diagnosis, ...]:
    """Put the causes in order, and what could not be looked at below the last."""
    merged = list(merge_causes(notes.found)[:_MOST])
    limits = [clean(f"could not look further: {limit}") for limit in notes.limits]
    if not limits:
        return tuple(merged)
    if not merged:
        return (Diagnosis("not found", tuple(limits), "invoke status", signature=""),)
    last = merged[-1]
    for limit in limits:
        last = Diagnosis(
            last.cause, (*last.evidence, limit), last.command, last.component, last.signature
        )
    return (*merged[:-1], last)
