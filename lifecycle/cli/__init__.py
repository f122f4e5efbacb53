"""The edge to the person: requests, questions, tables, exit codes, and the wiring of the rest.

May live here: reading arguments and environment variables once, asking, showing, signals, and
putting journal, lock, log and drivers together. May not: knowledge of Talos, Kubernetes or Flux,
and decisions about steps. Heavy imports (rich, structlog, drivers) happen inside functions, since
`invoke --list` imports this package.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the `lifecycle` command: the same tasks as `invoke` offers in a checkout."""
    from lifecycle.cli.program import run_program  # noqa: PLC0415 (invoke is slow to import)

    run_program()
