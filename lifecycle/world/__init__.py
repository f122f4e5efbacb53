"""Everything that a step may look at and act on, as one typed bundle.

Here lives what several steps share and no single door offers: the repository decrypted in
memory, the private copy, the cluster's API through whichever control plane answers, builds of
the entries and the charts' CRDs. No step, no order of steps, no waiting.
"""

from __future__ import annotations

from lifecycle.world.bundle import Options, Places, World

__all__ = ["Options", "Places", "World"]
