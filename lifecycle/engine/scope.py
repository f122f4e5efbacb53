"""The log context: on whose behalf something happens, for events and for nothing else."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["CURRENT_STEP"]

CURRENT_STEP: ContextVar[str] = ContextVar("current_step", default="")
"""Name of the step or gate that is being probed or applied; empty outside of one."""
