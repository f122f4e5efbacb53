"""How talosctl's stand-in reads its command line and shows what it got."""

from __future__ import annotations

import pytest

from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.flags import Flag, FlagSet, find_command, parse, parse_duration_s
from lab.standins.talosctl.jsonpath import JsonPath, JsonPathError
from lab.standins.talosctl.text import format_bytes, format_table
from lab.standins.values import JsonMap

_FLAGS = FlagSet(
    (Flag("nodes", "slice", "n"), Flag("insecure", "bool", "i"), Flag("file", short="f"))
)
_MACHINE: JsonMap = {"spec": {"stage": "running", "conditions": [{"name": "time"}, {"name": "x"}]}}


def test_flags_are_read_in_every_form_of_pflag() -> None:
    """Values follow, touch, or come after `=`; short flags may share a dash."""
    parsed = parse(_FLAGS, ["-in", "10.0.0.1,10.0.0.2", "--nodes=10.0.0.3", "word", "-fx"])

    assert ["10.0.0.1", "10.0.0.2", "10.0.0.3"] == parsed.texts("nodes")
    assert parsed.is_set("insecure")
    assert ("x", ["word"]) == (parsed.text("file"), parsed.words)


def test_a_value_before_the_command_is_not_the_command() -> None:
    """Cobra takes every word after a flag for its value while the command is not known."""
    assert 4 == find_command(["--talosconfig", "t", "-n", "10.0.0.1", "get", "disks"])


@pytest.mark.parametrize(("text", "seconds"), [("1m30s", 90.0), ("20m", 1200.0), ("250ms", 0.25)])
def test_durations_are_go_durations(text: str, seconds: float) -> None:
    """Units may follow each other."""
    assert seconds == parse_duration_s(text)


def test_a_bare_number_is_no_duration() -> None:
    """Go wants a unit."""
    with pytest.raises(CommandError, match="invalid duration"):
        parse_duration_s("30")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{.spec.stage}", ["running"]),
        ("{.spec.conditions[1].name}", ["x"]),
        ("{.spec.conditions[*].name}", ["time", "x"]),
        ("stage {.spec['stage']}", ["stage ", "running"]),
    ],
)
def test_jsonpath_finds(template: str, found: list[str]) -> None:
    """Fields, indices, wildcards and the text around them."""
    assert found == JsonPath(template).find(_MACHINE)


def test_jsonpath_names_what_is_missing() -> None:
    """The text is client-go's."""
    with pytest.raises(JsonPathError, match="nope is not found"):
        JsonPath("{.spec.nope}").find(_MACHINE)


def test_columns_are_three_spaces_apart() -> None:
    """The last cell of a row is not padded, as Go's tabwriter has it."""
    assert "ID     NAME\nlong   x\n" == format_table([["ID", "NAME"], ["long", "x"]])


@pytest.mark.parametrize(
    ("size", "shown"),
    [(5, "5 B"), (3_250_000, "3.3 MB"), (6_500_000, "6.5 MB"), (256 * 10**9, "256 GB")],
)
def test_sizes_have_two_digits(size: int, shown: str) -> None:
    """SI units, rounded half up."""
    assert shown == format_bytes(size)
