"""`python -m lab.faults`: the catalogue as JSON, for whoever plans with it."""

from __future__ import annotations

import json
import sys

from lab.faults import FAULTS, LabFault, RunningFault, describe_target

__all__ = ["describe_catalogue"]


def describe_catalogue() -> list[dict[str, object]]:
    """Describe every fault: what it strikes, what should answer, what it takes."""
    return [_describe(fault) for fault in FAULTS]


def _describe(fault: LabFault) -> dict[str, object]:
    return {
        "name": fault.name,
        "target": describe_target(fault),
        "answers": [f"{answer.kind} {answer.name}" for answer in fault.answers],
        "leaves_data": isinstance(fault, RunningFault) and fault.leaves_data,
    }


if __name__ == "__main__":
    json.dump(describe_catalogue(), sys.stdout)
