"""Step, Gate, Plan, Runner, Outcome, Answer, retry: pure, knows no tool.

Here lives what walks an ordered graph of steps and gates and keeps the promise that a run can be
killed at any moment. Nothing here knows Talos, Kubernetes, Git, a file or a terminal; the journal
and the listeners are ports (`ports.py`) that others implement.
"""

from __future__ import annotations

from lifecycle.engine.answers import (
    Answer,
    Blocked,
    Needed,
    Satisfied,
    Unknown,
)
from lifecycle.engine.plan import Plan, PlannedNode, make_plan, probe_node, probe_plan
from lifecycle.engine.ports import (
    Event,
    EventName,
    Journal,
    Listener,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
)
from lifecycle.engine.retry import RetryPolicy, call_with_retry
from lifecycle.engine.runner import Failure, Outcome, Runner, RunResult
from lifecycle.engine.scope import CURRENT_STEP
from lifecycle.engine.step import (
    Gate,
    HasHint,
    HasLane,
    HasNews,
    HasPatience,
    HasWarning,
    IsLocal,
    Node,
    Once,
    Patience,
    Step,
    Undoable,
)
from lifecycle.engine.watch import describe_answer

__all__ = [
    "CURRENT_STEP",
    "Answer",
    "Blocked",
    "Event",
    "EventName",
    "Failure",
    "Gate",
    "HasHint",
    "HasLane",
    "HasNews",
    "HasPatience",
    "HasWarning",
    "IsLocal",
    "Journal",
    "Listener",
    "Needed",
    "Node",
    "Once",
    "Outcome",
    "Patience",
    "Plan",
    "PlannedNode",
    "RetryPolicy",
    "RunRecord",
    "RunResult",
    "RunState",
    "Runner",
    "Satisfied",
    "Step",
    "StepRecord",
    "StepState",
    "Undoable",
    "Unknown",
    "call_with_retry",
    "describe_answer",
    "make_plan",
    "probe_node",
    "probe_plan",
]
