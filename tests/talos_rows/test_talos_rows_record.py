"""The record of proofs says what is there to be proven, and nothing else."""

from __future__ import annotations

from ci.talos_rows import COMMANDS, ERRORS, find_cases, read_proofs


def test_tests_name_rows_that_exist() -> None:
    """A test is about rows of the tables, so that none is lost to a wrong word."""
    named = {row for case in find_cases() for row in case.rows}

    assert named <= {*COMMANDS, *ERRORS}


def test_proofs_are_of_tests_that_exist() -> None:
    """A test that went away proves nothing; run `python -m ci.talos_rows` anew."""
    assert set(read_proofs()) <= {case.name for case in find_cases()}
