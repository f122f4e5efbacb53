"""Machines that install badly or slowly: what a run says, bears, and asks before it tries again."""

from __future__ import annotations

import sys

from tests.refusals.refusals_lab import RefusalLab, Said, finish

_SLOWEST_S = 400.0  # ten times as long as an install takes otherwise
WORKER = "sample-worker-1"
CONTROL = "sample-control-1"
STEP = f"Apply machine config to {WORKER}"


def bootstrap_impatiently(lab: RefusalLab, *faults: str) -> Said:
    """Bootstrap with less patience for machines."""
    module = ("-m", "tests.refusals.impatient")
    return finish(lab.place.start_program(sys.executable, *module, *faults))


def find_waits(lab: RefusalLab) -> list[dict[str, float]]:
    """Return every wait of the lab's world."""
    waits = lab.ask({"do": "ledger"})["waits"]
    assert isinstance(waits, list)
    return waits


def clear(lab: RefusalLab, fault: str) -> None:
    """End a fault."""
    assert {"cleared": 1} == lab.ask({"do": "clear-fault", "fault": fault})


def test_install_fails_is_lost_and_is_slow(fresh: RefusalLab) -> None:
    """One machine fails in three ways, one after the other; the rest of the cluster goes on.

    Its installer fails: the step says that it never ran, while etcd begins although
    its machine is slow. Then it installs and forgets its config: the disk now holds data, so the
    next run asks first. With consent it is installed once more, slowly, and the run ends well.
    """
    failed = bootstrap_impatiently(fresh, f"install-fails:{WORKER}", f"slow-bootstrap:{CONTROL}")
    begun = fresh.acts().get("etcd.bootstrap", 0)
    clear(fresh, "install-fails")
    lost = bootstrap_impatiently(fresh, f"lost-state:{WORKER}")
    clear(fresh, "lost-state")
    asked = fresh.bootstrap()
    done = fresh.bootstrap("--consent-disk", WORKER, "--fault", f"slow-install:{WORKER}")
    installs = [one for one in find_waits(fresh) if str(one["what"]).endswith("install")]

    assert (5, 5, 4, 0) == (failed.code, lost.code, asked.code, done.code), done.output
    assert 1 == begun
    for said in (failed, lost):
        assert f"{STEP}: not observed: " in said.error
    assert f"disk of {WORKER} holds data" in asked.error
    assert f"--consent-disk {WORKER}" in asked.hint
    assert _SLOWEST_S <= max(one["seconds"] for one in installs)
