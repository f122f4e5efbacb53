"""What a node is able to do besides its probe and act, with the defaults of those that are not."""

from __future__ import annotations

from lifecycle.engine.step import HasHint, HasLane, HasPatience, Node, Patience, Step

__all__ = ["hint_of", "lane_of", "patience_of"]


def patience_of(node: Node) -> Patience:
    """Return how long a node is waited for."""
    return node.patience if isinstance(node, HasPatience) else Patience()


def lane_of(step: Step) -> str:
    """Return the lane that a step runs in; empty for none."""
    return step.lane if isinstance(step, HasLane) else ""


def hint_of(node: Node) -> str:
    """Return what to look at when a node was waited for in vain; empty for nothing."""
    return node.hint if isinstance(node, HasHint) else ""
