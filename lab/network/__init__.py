"""The network ends of the lab: one line an address, what travels on it, and what goes wrong there.

Here may live: sockets that listen, connections that are late, silent or cut. Here may not: what a
connection carries; the machines' and Kubernetes' servers give a protocol and know no more.
"""

from __future__ import annotations

from lab.network.condition import LineFault
from lab.network.line import Line, Served
from lab.network.lines import Lines
from lab.network.port import Bind, bind

__all__ = ["Bind", "Line", "LineFault", "Lines", "Served", "bind"]
