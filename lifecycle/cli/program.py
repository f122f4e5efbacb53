"""The `lifecycle` command: Invoke's program over our tasks, without the need of a checkout."""

from __future__ import annotations

from importlib.metadata import version

from invoke.program import Program

from lifecycle.cli.tasks import namespace

__all__ = ["run_program"]


def run_program() -> None:
    """Run the command with the process's arguments; ends the process with its exit code."""
    Program(
        name="talos-lifecycle",
        binary="lifecycle",
        namespace=namespace,
        version=version("talos-lifecycle"),
    ).run()
