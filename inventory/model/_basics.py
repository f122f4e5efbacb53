"""Positions, findings and the shape of raw documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = "Mapping[str, Json]"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  # a bootstrap, an upgrade or a component fails
    WARNING = "warning"  # works until something happens
    INFO = "info"  # worth telling


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file of the repository.

    Attributes:
        path: POSIX path relative to the repository root.
        line: Line, from 1.
        column: Column, from 1.
    """

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or risky in the repository, and its repair."""

    id: str
    severity: Severity
    message: str
    position: Position
    hint: str = ""
