"""The API over HTTP: paths, bodies, discovery, tables and watch streams.

Everything that decides something is in `lab.kubernetes.api`; here it is only spelled for
clients such as kubectl and lightkube.
"""

from __future__ import annotations
