"""Machine configs from a talconfig.yaml, as ClusterTool's library talhelper makes them.

Here may live: reading talconfig, substitution, the documents, patches, structural validation.
Here may not live: processes, network, the console: `lab.standins.clustertool` does that.
"""

from __future__ import annotations

__all__: list[str] = []
