"""Stand-ins for `talosctl`, `clustertool` and `flux` on a machine that has none of them.

Here may live: programs with the same arguments, standard output, standard error and exit codes
as the real ones, for what this project calls; the machine configs that ClusterTool's library
talhelper writes; launchers that put such a program on PATH. Only the lab ever uses them.
Here may not live: anything that `lifecycle` imports, anything of the simulated machines (a
stand-in speaks to them over the wire, as the real tool does), any text or code of the real tools.

Nothing is imported here: a stand-in is a process of its own and its start-up time is paid often.
"""

from __future__ import annotations

__all__: list[str] = []
