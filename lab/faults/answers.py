"""What should answer a fault, by what kind of thing it is."""

from __future__ import annotations

from lab.faults.values import Answer

__all__ = ["by_diagnosis", "by_gate", "by_step"]


def by_step(name: str) -> Answer:
    """Say that a step fails."""
    return Answer("step", name)


def by_gate(name: str) -> Answer:
    """Say that a gate does not pass."""
    return Answer("gate", name)


def by_diagnosis(name: str) -> Answer:
    """Say that a diagnosis names it."""
    return Answer("diagnosis", name)
