"""Stand-in for ClusterTool 4: its version at once, the rest when it is asked for.

What `init`, `genconfig` and `decrypt` do is in `clustercommands`, which takes a while to import:
a run asks for the version of every tool before it does anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        sys.stdout.write("clustertool version dev (lab stand-in)\n")
        return 0
    from lab.standins.clustercommands import run_command  # noqa: PLC0415  slow, see above

    return run_command(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
