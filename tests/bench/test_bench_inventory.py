"""What the bench reads is what it says, and reading does no more work than the size asks for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from ci.bench_inventory import generate
from inventory import Severity, infer_edges, order_components, read_repository


def _make(folder: Path, size: int) -> Path:
    generate(folder, size)
    return folder


def _read(root: Path) -> None:
    read_repository(root, "main")


def _order(root: Path) -> None:
    inventory = read_repository(root, "main")
    order_components(inventory, infer_edges(inventory))


def _count_calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, in Python and in C: the same on every machine."""
    count = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_generated_repository_is_read_whole(tmp_path: Path) -> None:
    """A generated repository has the size it was asked for, and no error in it."""
    inventory = read_repository(_make(tmp_path, 12), "main")

    assert 12 == len(inventory.components)
    assert 12 == len(inventory.releases)
    assert not [f for f in inventory.findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize("work", [_read, _order])
def test_work_grows_no_faster_than_the_repository(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    """Twice the Kustomizations are at most twice the calls, and a little."""
    small, large = _make(tmp_path / "small", 40), _make(tmp_path / "large", 80)
    work(small)  # what is done once a process is done now
    calls = [_count_calls(partial(work, root)) for root in (small, large)]

    assert calls[1] < 2.2 * calls[0]


def test_reading_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    """The cycle collector stands still while a repository is read, and only then."""
    root = _make(tmp_path, 1)
    before = gc.isenabled()
    read_repository(root, "main")

    assert before == gc.isenabled()
