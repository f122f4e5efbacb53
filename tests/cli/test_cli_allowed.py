"""Names that the user allowed are checked against the repository."""

from __future__ import annotations

import pytest

from inventory import read_repository
from lifecycle.cli.allowed import check_allowed
from lifecycle.errors import PlanError
from tests.cli.test_cli_program import ROOT

SAMPLE = read_repository(ROOT / "lab" / "sample", "main")


def test_names_of_the_repository_are_allowed() -> None:
    """Components, releases and nodes are known by their names."""
    check_allowed(
        SAMPLE,
        accepted=frozenset({"notes", "longhorn"}),
        consented_disks=frozenset({"sample-worker-1"}),
    )


@pytest.mark.parametrize(
    ("accepted", "disks", "hint"),
    [
        (frozenset({"longhron"}), frozenset[str](), "did you mean `longhorn`?"),
        (frozenset[str](), frozenset({"sample-worker"}), "did you mean `sample-worker-1`?"),
    ],
)
def test_mistyped_names_are_refused(
    accepted: frozenset[str], disks: frozenset[str], hint: str
) -> None:
    """A name that means nothing is an error with the nearest one, not a silent no."""
    with pytest.raises(PlanError) as caught:
        check_allowed(SAMPLE, accepted=accepted, consented_disks=disks)

    assert hint == caught.value.hint
