"""What the lab's Kubernetes can be made to do wrong, by name."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PodFault"]


class PodFault(StrEnum):
    """A switch on pods; it names a part of an image, or `namespace/prefix` of pods."""

    UNPULLABLE = "unpullable"
    """Images whose name contains the given text cannot be pulled."""
    CRASHING = "crashing"
    """Containers of pods whose `namespace/name` begins with the given text end again and again."""
