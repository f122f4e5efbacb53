"""Etcd begins once in the cluster's life, whatever happens to the machines."""

from __future__ import annotations

from lifecycle.engine import Answer, Needed, Satisfied, Unknown
from lifecycle.steps.bootstrap_etcd import BootstrapEtcd
from tests.steps.conftest import MakeStepWorld
from tests.steps.steps_world import StepWorld

PLANES = ("cp1", "cp2", "cp3")


async def bring_up(world: StepWorld, *names: str) -> BootstrapEtcd:
    """Bring machines up to a cluster whose etcd the step itself began."""
    await world.lab.machines.start()
    await world.lab.configure(*names)
    step = BootstrapEtcd(world.world)
    await step.apply()
    await world.lab.wait_ready()
    return step


def said(answer: Answer) -> str:
    """Return what an open answer says."""
    assert isinstance(answer, Unknown)
    return answer.reason


async def test_empty_everywhere_is_needed(make_world: MakeStepWorld) -> None:
    """Every control plane waits for a bootstrap with an empty data directory: begin."""
    world = make_world(PLANES)
    await world.lab.machines.start()
    await world.lab.configure(*PLANES)

    answer = await BootstrapEtcd(world.world).probe()

    assert Needed("no control plane has an etcd member") == answer


async def test_members_satisfy_and_a_second_bootstrap_is_refused(
    make_world: MakeStepWorld,
) -> None:
    """After the act the members are the proof, and the act again changes nothing."""
    world = make_world(["cp1", "cp2"])

    step = await bring_up(world, "cp1", "cp2")

    assert Satisfied("etcd has 2 member(s): cp1, cp2") == await step.probe()
    assert Satisfied("etcd has 2 member(s): cp1, cp2") == await step.has_happened()
    assert 1 == world.lab.ledger.acts["etcd.bootstrap"]


async def test_machines_that_boot_are_unknown(make_world: MakeStepWorld) -> None:
    """Before its services start, a machine's data cannot be seen: that is no empty directory."""
    world = make_world(["cp1"], speed=50)
    await world.lab.machines.start()
    machine = world.lab.machines["cp1"]
    machine.set_fault("slow-bootstrap")
    machine.preconfigure(world.lab.cluster.write_config("cp1"))
    await world.lab.until(lambda: machine.config is not None and machine.is_reachable)

    answer = await BootstrapEtcd(world.world).probe()

    assert "cannot rule out that etcd has data: cp1: etcd is not there yet" == said(answer)


async def test_data_after_a_power_cut_is_no_reason_to_begin(make_world: MakeStepWorld) -> None:
    """A node that boots with data looks idle for a while; its data directory tells."""
    world = make_world(["cp1"])
    step = await bring_up(world, "cp1")
    world.lab.machines["cp1"].boot.services.set("etcd", "Preparing", "Running pre state")

    answer = await step.probe()

    assert "cp1: etcd holds data and does not run yet" in said(answer)


async def test_power_cut_of_all_never_leads_to_a_second_cluster(
    make_world: MakeStepWorld,
) -> None:
    """While every control plane comes back, no look in between allows the act."""
    world = make_world(PLANES)
    step = await bring_up(world, *PLANES)
    for name in PLANES:
        world.cut_power(name)

    answers: list[Answer] = []
    while not answers or not isinstance(answers[-1], Satisfied):
        answers.append(await step.probe())

    assert not [answer for answer in answers if isinstance(answer, Needed)]
    assert 1 == world.lab.ledger.acts["etcd.bootstrap"]


async def test_wiped_first_plane_joins_the_others(make_world: MakeStepWorld) -> None:
    """The node on which etcd would begin is bare, the others have the cluster: nothing begins."""
    world = make_world(PLANES)
    step = await bring_up(world, *PLANES)
    await world.wipe("cp1")
    await world.lab.apply("cp1")
    await world.lab.wait_configured("cp1")

    answer = await step.probe()

    assert isinstance(answer, Satisfied)
    assert 1 == world.lab.ledger.acts["etcd.bootstrap"]


async def test_one_survivor_without_quorum_keeps_its_data(make_world: MakeStepWorld) -> None:
    """All planes but one are bare: the survivor's data forbids a new cluster."""
    world = make_world(PLANES)
    step = await bring_up(world, *PLANES)
    await world.wipe("cp2")
    await world.wipe("cp3")
    await world.lab.configure("cp2", "cp3")

    answer = await step.probe()

    assert "cp1: etcd runs and does not answer" in said(answer)


async def test_silent_survivor_keeps_the_answer_open(make_world: MakeStepWorld) -> None:
    """The first plane is bare and another one does not answer: nobody knows what it holds."""
    world = make_world(["cp1", "cp2"])
    await world.lab.machines.start()
    await world.lab.configure("cp1", "cp2")
    world.lab.machines["cp2"].set_fault("unreachable")
    await world.lab.until(lambda: not world.lab.machines["cp2"].is_reachable)

    answer = await BootstrapEtcd(world.world).probe()

    assert "cannot rule out that etcd has data: cp2: connection refused" == said(answer)


async def test_stopped_etcd_keeps_the_answer_open(make_world: MakeStepWorld) -> None:
    """A person stopped etcd: that it does not run says nothing about its data."""
    world = make_world(["cp1"])
    step = await bring_up(world, "cp1")
    world.lab.machines["cp1"].boot.services.set("etcd", "Finished")

    answer = await step.probe()

    assert "cp1: etcd is finished" in said(answer)
