"""The pages of events and environment variables."""

from __future__ import annotations

from ci.docs.markdown import make_table
from ci.docs.source import describe_members
from lifecycle.cli.options import VARIABLES
from lifecycle.engine import EventName

__all__ = ["make_environment", "make_events"]


def make_events() -> str:
    """Return the page of events."""
    meanings = describe_members(EventName)
    rows = [(f"`{event.value}`", meanings.get(event.name, "")) for event in EventName]
    return (
        "# Events\n\n"
        "Every run writes a log of JSON lines, one event a line; `status` and the end of a run"
        " name its path.\n"
        "Each line holds `event`, `at` (ISO 8601), `level`, `run` and `cluster`, those of a step"
        " `step`, those of a gate `gate`, and what the event adds: `seen`, `answer`, `reason`,"
        " `attempt`, `wait_for_s`, `tool`, `returncode`, `elapsed_s`.\n"
        "Besides these, `program.failed` holds the `traceback` of a bug.\n\n"
        + make_table(("event", "when"), rows)
    )


def make_environment() -> str:
    """Return the page of environment variables."""
    rows = [(f"`{variable.name}`", f"{variable.help}.") for variable in VARIABLES]
    return (
        "# Environment\n\n"
        "An argument goes before a variable, a variable before the default.\n"
        "A variable that begins with `TALOS_LIFECYCLE_` and is not in this table is refused.\n\n"
        + make_table(("variable", "meaning"), rows)
    )
