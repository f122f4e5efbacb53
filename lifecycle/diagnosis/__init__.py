"""Why something is not ready: the first cause, with evidence and the command that repairs it.

A look at the cluster (`sight`) and at the repository (`facts`), a pure walk over both from what
was asked about down to the first thing that is wrong (`flux`, `releases`, `workloads`, `pods`,
`storage`, `services`, `nodes`, `machines`), and a catalogue of what messages mean. May live here:
reading and explaining. May not: changing anything, waiting for anything, raising anything.
"""

from __future__ import annotations

from lifecycle.diagnosis.catalogue import CATALOGUE, Signature
from lifecycle.diagnosis.diagnose import diagnose
from lifecycle.diagnosis.values import Diagnosis

__all__ = ["CATALOGUE", "Diagnosis", "Signature", "diagnose"]
