"""What a cluster repository says, as immutable values.

Everything here is data: frozen, slotted, without behaviour beyond small look-ups. Raw documents
are plain JSON values and are shared, so nobody may change them in place. Lines and columns count
from 1.

May live here: frozen values and look-ups in them. May not: reading, judging, drawing.
"""

from __future__ import annotations

from inventory.model._basics import Finding, Json, JsonObject, Position, Severity
from inventory.model._flux import Component, Entry, Layer, Release, Source, ValuesReference
from inventory.model._graph import Cycle, Edge, EdgeKind, Rendered, Wave
from inventory.model._inventory import Inventory
from inventory.model._machines import Interface, Node, Role, TalosConfig
from inventory.model._objects import DeadObject, ObjectRef, SourceKey, Statement
from inventory.model._variables import SubstituteSource, Variables, VariableSet

__all__ = [
    "Component",
    "Cycle",
    "DeadObject",
    "Edge",
    "EdgeKind",
    "Entry",
    "Finding",
    "Interface",
    "Inventory",
    "Json",
    "JsonObject",
    "Layer",
    "Node",
    "ObjectRef",
    "Position",
    "Release",
    "Rendered",
    "Role",
    "Severity",
    "Source",
    "SourceKey",
    "Statement",
    "SubstituteSource",
    "TalosConfig",
    "ValuesReference",
    "VariableSet",
    "Variables",
    "Wave",
]
