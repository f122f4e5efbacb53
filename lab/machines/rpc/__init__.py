"""The machine API: one module a service, one table of routes, one dispatcher.

Here live the gRPC answers and their exact error texts. What a machine is and does lives outside;
nothing here keeps state.
"""

from __future__ import annotations
