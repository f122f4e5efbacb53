"""What people and machines see of a run: live table, plain lines, tables, JSON, the log file.

May live here: drawing with rich, values for JSON, the structlog file, and the words and marks of
each state. May not: decisions about a run, anything that asks a question, anything that talks to
a cluster. Modules are imported one by one, since rich and structlog cost start-up time.
"""

from __future__ import annotations

__all__: list[str] = []
