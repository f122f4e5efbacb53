"""The page of the lab's faults: its catalogue."""

from __future__ import annotations

from ci.docs.source import describe_members
from lab.faults import Answer, LabFault, RepositoryFault, Target
from lab.faults.repository import REPOSITORY_FAULTS
from lab.faults.running import RUNNING_FAULTS

__all__ = ["make_faults"]

_PAGES = {"finding": "findings", "gate": "gates", "step": "steps", "diagnosis": "diagnoses"}


def make_faults() -> str:
    """Return the page of faults."""
    head = (
        "# Faults of the lab\n\n"
        "A fault is something that goes wrong in the lab until it is told to stop.\n"
        "`--fault NAME[:TARGET][@STEP|@SECONDS][+SECONDS]` of `bootstrap --lab` and `lab.up` makes"
        " one, and `lab.fault` sets, clears and lists those of a lab that stands;"
        " the [tutorial](../tutorial/lab.md) shows it.\n"
        "With a step, it strikes when the run begins that step or gate; with seconds, so much"
        " simulated time after it was asked for; else at once.\n"
        "With `+SECONDS` it ends by itself after so much simulated time.\n\n"
    )
    return (
        head
        + "\n".join(map(_describe, RUNNING_FAULTS))
        + "\n## Faults of the repository\n\n"
        + "These are edits of the private copy that a lab runs on, never of your tree.\n"
        "Each picks its own place, so it takes neither target nor moment; where a repository has"
        " nothing that it could strike, the lab says so and does not start.\n\n"
        + "\n".join(map(_describe, REPOSITORY_FAULTS))
    )


def _describe(fault: LabFault) -> str:
    answers = ", ".join(map(_link, fault.answers)) or "nothing: a bootstrap bears it"
    target = (
        ""
        if isinstance(fault, RepositoryFault)
        else f"- Target: {describe_members(Target)[fault.target.name]}\n"
    )
    return (
        f"## {fault.name}\n\n{fault.does}\n\n"
        f"{target}"
        f"- Answered by: {answers}.\n"
        f"- Origin: <{fault.origin}>\n"
    )


def _link(answer: Answer) -> str:
    return f"{answer.kind} [{answer.name}]({_PAGES[answer.kind]}.md#{answer.name})"
