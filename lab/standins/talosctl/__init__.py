"""Stand-in for talosctl 1.13: the same arguments, outputs and error texts over the same gRPC.

Here may live: the command line, a small gRPC client over the standard `ssl` module, the output
formats. Here may not live: anything of the simulated machines (the wire is the only meeting
point), anything slow to import: each call is a process, and there are hundreds in a run. So
modules are imported when needed, values are named tuples (`dataclasses` imports `inspect`), and
messages and headers are read by codecs of a hundred lines instead of protobuf's and hpack's.
"""

from __future__ import annotations

__all__: list[str] = []
