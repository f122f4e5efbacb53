"""Everything that can be done in a checkout: `invoke --list`."""

from __future__ import annotations

import shlex
import sys

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from lifecycle.cli.tasks import namespace as of_users

__all__ = ["namespace"]

_PYTHON = shlex.quote(sys.executable)  # the one that has everything installed


@task(
    auto_shortflags=False,
    help={"only": "Path below tests/ to limit the tests to, for example tests/engine"},
)
def test(context: Context, *, only: str = "") -> None:  # noqa: PT028 (Invoke's default, no test)
    """Run the tests that CI runs, on two processor cores.

    Examples:
      invoke test
      invoke test --only tests/engine
    """
    # Labs wait for a third of the time: a third worker keeps two cores busy.
    context.run(f"{_PYTHON} -m pytest -n 3 {only}", pty=False, echo=True)


@task(
    auto_shortflags=False,
    iterable=["only"],
    help={
        "only": "Case to measure: sample, nomenator, machines or inventory; may be repeated",
        "runs": "Number of rehearsals of each case",
        "speed": "Factor by which the lab's time runs faster than the wall's",
        "chain": "Listing of the critical path itself",
    },
)
def bench(
    context: Context,
    *,
    only: list[str] | None = None,
    runs: int = 1,
    speed: str = "",
    chain: bool = False,
) -> None:
    """Measure runs in the lab against its critical path, and reading.

    Examples:
      invoke bench
      invoke bench --only sample --runs 3
      invoke bench --only inventory
    """
    words = [word for name in only or () for word in ("--only", name)]
    words += ["--runs", str(runs), *(("--speed", speed) if speed else ())]
    words += ["--chain"] if chain else []
    context.run(f"{_PYTHON} -m ci.bench {shlex.join(words)}", pty=False)


@task(auto_shortflags=False, help={"check": "Comparison only; fails when a page is out of date"})
def docs(context: Context, *, check: bool = False) -> None:
    """Generate the reference pages from the code.

    Examples:
      invoke docs
      invoke docs --check
    """
    context.run(f"{_PYTHON} -m ci.docs" + (" --check" if check else ""), pty=False)


namespace = Collection(*of_users.tasks.values(), test, bench, docs, **of_users.collections)
