"""Files of several faults: read, refused with the place, and written for a replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.faults import FaultError, FaultRequest, parse_fault, read_fault_file, write_fault_file


def test_faults_of_a_file_are_read(tmp_path: Path) -> None:
    """As on the command line, or in parts; in their order."""
    file = tmp_path / "faults.yaml"
    file.write_text(
        "faults:\n"
        "  - two-disks:w1\n"
        "  - vip-of-node\n"
        "  - fault: silent\n"
        "    target: w1\n"
        "    seconds: 30\n"
        "    lasting: 60\n"
        "  - {fault: unreachable, step: install-flux}\n"
    )

    assert (
        FaultRequest("two-disks", "w1"),
        FaultRequest("vip-of-node"),
        FaultRequest("silent", "w1", seconds=30, lasting=60),
        FaultRequest("unreachable", step="install-flux"),
    ) == read_fault_file(file)


def test_written_file_reads_the_same(tmp_path: Path) -> None:
    """What a seed made can be kept, changed and repeated."""
    made = tuple(map(parse_fault, ("silent:w1@30+60", "unpullable:ghcr.io/x@sha256:1f", "no-disk")))
    write_fault_file(tmp_path / "faults.yaml", made, note="of seed 7")

    assert made == read_fault_file(tmp_path / "faults.yaml")


@pytest.mark.parametrize(
    ("content", "place", "message", "hint"),
    [
        ("", "", "file of faults is empty", "write `faults:`"),
        ("- silent\n", ":1:1: ", "is no mapping", "write `faults:`"),
        ("fault: [silent]\n", ":1:1: ", "key is unknown: `fault`", "there is: faults"),
        ("faults: silent\n", ":1:9: ", "`faults` is no list", "write `faults:`"),
        ("faults:\n  - [silent]\n", ":2:5: ", "neither a text nor a mapping", "- silent:"),
        ("faults:\n  - slient\n", ":2:5: ", "fault is unknown: `slient`", "mean `silent`?"),
        ("faults:\n  - silent@\n", ":2:5: ", "fault ends in the middle", "write NAME[:TARGET]"),
        ("faults:\n  - {fault: silent, taget: a}\n", ":2:21: ", "`taget`", "mean `target`?"),
        ("faults:\n  - {target: w1}\n", ":2:5: ", "fault has no name", "add `fault: NAME`"),
        ("faults:\n  - {fault: silent, target: [a]}\n", ":2:29: ", "`target` is no text", ""),
        (
            "faults:\n  - {fault: silent, step: a, seconds: 3}\n",
            ":2:5: ",
            "a step and seconds",
            "keep one",
        ),
        ("faults:\n  - a: [\n", ":3", "file of faults is not YAML", "write `faults:`"),
    ],
)
def test_wrong_file_is_refused_with_its_place(
    tmp_path: Path, content: str, place: str, message: str, hint: str
) -> None:
    """Whoever wrote it finds the line, and what to write there."""
    file = tmp_path / "faults.yaml"
    file.write_text(content)
    with pytest.raises(FaultError) as caught:
        read_fault_file(file)

    assert f"{file}{place}" in str(caught.value)
    assert message in str(caught.value)
    assert hint in caught.value.__notes__[0]


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder is no file of faults."""
    with pytest.raises(FaultError, match="cannot be read"):
        read_fault_file(tmp_path)
