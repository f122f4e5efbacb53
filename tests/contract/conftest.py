"""Fixtures of the contract: one life of a lab for all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.contract_life import Story, live


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The account of every step and gate from a fresh lab to the second run."""
    folder = tmp_path_factory.mktemp("contract")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
            place = folder / variable.lower()
            place.mkdir()
            patch.setenv(variable, str(place))
        yield live(folder)
