"""Machines that are configured already, by this cluster: no refusal, wherever the run is from.

In a module of its own: it brings a cluster up, and other stories begin with machines that wait.
"""

from __future__ import annotations

from tests.refusals.refusals_lab import RefusalLab


def test_machines_that_are_ours_are_gone_on_with(fresh: RefusalLab) -> None:
    """From another laptop, with nothing remembered, a configured machine of ours is no obstacle."""
    said = fresh.bootstrap()
    acts = fresh.acts_of_machines()
    for path in (fresh.state.talosconfig, fresh.state.kubeconfig, fresh.state.journal):
        path.unlink()

    again = fresh.bootstrap()

    assert (0, 0) == (said.code, again.code), again.output
    assert "ours, running" in again.stdout
    assert acts == fresh.acts_of_machines()
