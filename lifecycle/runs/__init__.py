"""The runs: short ordered lists of steps and gates.

Here lives which steps and gates a run has, in which order and under which limits. How a step
works, what a tool prints and how a cluster looks do not.
"""

from __future__ import annotations

from lifecycle.runs.bootstrap import plan_bootstrap

__all__ = ["plan_bootstrap"]
