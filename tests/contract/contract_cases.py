"""The names of a bootstrap's steps and gates, and the exceptions from the contract, each with why.

The names are kept in a file, since they are the keys of journals that users have: whoever changes
one breaks the memory of runs that were begun before.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["GATES", "NEVER_NEEDED", "NODES", "STEPS", "TRUE_ON_A_FRESH_SYSTEM"]

_FILE = Path(__file__).parent / "cases" / "bootstrap.txt"

NODES = [(kind, name) for kind, name in map(str.split, _FILE.read_text().splitlines())]
STEPS = [name for kind, name in NODES if kind == "step"]
GATES = [name for kind, name in NODES if kind == "gate"]

# Gates that judge what the user brings, not the cluster; tests/refusals shows what they refuse.
TRUE_ON_A_FRESH_SYSTEM = {
    "tools-are-there": "tools are there before any cluster is",
    "repository-is-sound": "the sample has no finding",
    "secrets-decrypt": "the lab made the key",
    "commit-is-pushed": "the lab pushed it",
    "charts-are-there": "the lab brings them",
    "vip-is-free": "no machine holds it yet",
    "installer-images-exist": "the lab's registry has them",
    "machine-is-known/sample-control-1": "it is in maintenance mode and has the declared disk",
    "machine-is-known/sample-worker-1": "as its control plane",
    "clocks-agree": "it is one computer's clock",
    "manifests-build": "builds from files alone",
}
# Steps that find their effect there already in the sample; tests/whole shows their acts.
NEVER_NEEDED = {
    "release-held": "the sample has no upgrade controller",
    "fetch-commit": "Flux fetches by itself when its source is new",
}
