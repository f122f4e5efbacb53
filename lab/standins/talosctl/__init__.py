"""Stand-in for talosctl 1.13: the same arguments, outputs and error texts over the same gRPC.

Here may live: the command line, a small gRPC client over the standard `ssl` module, the output
formats. Here may not live: anything of the simulated machines (the wire is the only meeting
point), anything slow to import: each call is a process, so modules are imported when needed and
messages are read by a codec of a hundred lines instead of protobuf's.
"""

from __future__ import annotations

__all__: list[str] = []
