"""Plans: order, circles, and the dry run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.engine import Answer, Blocked, Plan, Unknown, make_plan, probe_plan
from lifecycle.errors import InventoryError, PlanError, UnavailableError
from tests.engine.engine_fakes import ScriptedStep


@st.composite
def acyclic_steps(draw: st.DrawFn) -> list[ScriptedStep]:
    """Draw steps in any order whose `after` never makes a circle."""
    count = draw(st.integers(min_value=1, max_value=12))
    steps = [
        ScriptedStep(
            f"s{index}",
            set(),
            after=tuple(f"s{before}" for before in range(index) if draw(st.booleans())),
        )
        for index in range(count)
    ]
    return draw(st.permutations(steps))


@given(acyclic_steps())
def test_plan_order_respects_every_after(steps: list[ScriptedStep]) -> None:
    """No step stands before one that it comes after, whatever order it was given in."""
    plan = make_plan("bootstrap", "main", steps)
    place = {node.name: index for index, node in enumerate(plan.nodes)}

    assert all(place[before] < place[node.name] for node in plan.nodes for before in node.after)


def test_plan_keeps_the_given_order_where_the_graph_is_silent() -> None:
    """Readers see the steps in the order in which the run lists them."""
    steps = [ScriptedStep("b", set()), ScriptedStep("a", set()), ScriptedStep("c", set())]

    assert [node.name for node in make_plan("x", "main", steps).nodes] == ["b", "a", "c"]


def test_plan_names_the_chain_of_a_circle() -> None:
    """Steps that wait for each other are refused with the chain."""
    steps = [ScriptedStep("a", set(), after=("b",)), ScriptedStep("b", set(), after=("a",))]

    with pytest.raises(PlanError, match=r"`(a -> b -> a|b -> a -> b)`"):
        make_plan("bootstrap", "main", steps)


def test_plan_refuses_two_steps_of_one_name() -> None:
    """The name is the journal key, so it is unique."""
    with pytest.raises(PlanError, match="two steps of one name: `a`"):
        make_plan("bootstrap", "main", [ScriptedStep("a", set()), ScriptedStep("a", set())])


def test_plan_refuses_an_after_that_is_not_in_it() -> None:
    """A misspelt `after` is found when the plan is made, not in the night."""
    with pytest.raises(PlanError, match="`a` after `z`"):
        make_plan("bootstrap", "main", [ScriptedStep("a", set(), after=("z",))])


async def test_dry_run_probes_everything_and_changes_nothing() -> None:
    """A dry run is every probe and no act."""
    world: set[str] = {"a"}
    steps = [ScriptedStep("a", world), ScriptedStep("b", world, after=("a",))]
    planned = await probe_plan(make_plan("bootstrap", "main", steps))

    assert [one.is_to_do for one in planned] == [False, True]
    assert {"a"} == world


class _RaisingStep(ScriptedStep):
    error: Exception = RuntimeError()

    async def probe(self) -> Answer:
        """Raise what the test wants."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (UnavailableError("api does not answer"), Unknown("api does not answer")),
        (InventoryError("bad", path="a.yaml", line=3, column=1), Blocked("a.yaml:3:1: bad")),
    ],
    ids=["door closed", "repository wrong"],
)
async def test_dry_run_turns_errors_into_answers(error: Exception, answer: Answer) -> None:
    """A silent door makes the world unknown; a wrong repository blocks."""
    step = _RaisingStep("a", set())
    step.error = error
    planned = await probe_plan(Plan("bootstrap", "main", (step,)))

    assert answer == planned[0].answer
