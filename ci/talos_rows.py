"""What of talosctl was compared with the lab's machines, row by row, and with which real version.

The tests of `tests/talos_rows` name the rows that they are about (`@pytest.mark.row`). Each runs
with the stand-in, and with a real talosctl where one is on PATH. `python -m ci.talos_rows` runs
them with the real one and keeps what passed in `tests/talos_rows/proofs.json`, with a digest of
the test: a test that is changed afterwards has proven nothing until that is done again.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

__all__ = [
    "COMMANDS",
    "ERRORS",
    "RECORD_VARIABLE",
    "Case",
    "find_cases",
    "read_proofs",
    "record_proof",
]

RECORD_VARIABLE = "TALOS_ROWS_RECORD"
_FOLDER = Path(__file__).resolve().parents[1] / "tests" / "talos_rows"
_PROOFS = _FOLDER / "proofs.json"

COMMANDS = (
    "apply-config",
    "bootstrap",
    "bootstrap --recover-from",
    "get",
    "get manifests",
    "version",
    "service",
    "kubeconfig",
    "health",
    "etcd members, status",
    "etcd snapshot",
    "etcd remove-member, leave",
    "etcd defrag, alarm, forfeit-leadership",
    "reboot",
    "reboot --drain",
    "reset",
    "shutdown",
    "upgrade",
    "upgrade with drain",
    "upgrade --legacy",
    "upgrade-k8s",
    "rollback",
    "meta",
    "list, read, dmesg",
    "copy",
)
ERRORS = (
    "nothing listens",
    "host silent",
    "server's CA unknown",
    "address not among the certificate's names",
    "handshake too slow",
    "--insecure against a configured machine",
    "connection cut",
    "role missing",
    "not for readers in maintenance",
    "maintenance of Talos 1.12 and older",
    "control-plane call in maintenance",
    "control-plane call on a worker",
    "-n names a machine that the endpoint cannot reach",
    "no endpoints or context",
    "no nodes",
    "bootstrap a second time",
    "bootstrap too early",
    "time not in sync",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A test, the rows that it is about, and the digest of its text."""

    name: str
    rows: tuple[str, ...]
    digest: str


def find_cases() -> Sequence[Case]:
    """Read every test of the rows out of the source, in its order."""
    return [case for path in sorted(_FOLDER.glob("test_*.py")) for case in _read_cases(path)]


def read_proofs() -> dict[str, dict[str, str]]:
    """Read for each test the versions that it has passed with, and its digest then."""
    if not _PROOFS.is_file():
        return {}
    found = json.loads(_PROOFS.read_text(encoding="utf-8"))
    return {str(test): dict(versions) for test, versions in found.items()}


def record_proof(test: str, version: str) -> None:
    """Keep that a test has passed with a real talosctl."""
    digests = {case.name: case.digest for case in find_cases()}
    if test not in digests:
        return
    proofs = read_proofs()
    proofs.setdefault(test, {})[version] = digests[test]
    kept = {name: proofs[name] for name in sorted(proofs) if name in digests}
    _PROOFS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Run the tests with the talosctl on PATH and record what passed; pytest's exit code."""
    environment = {**os.environ, RECORD_VARIABLE: "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist"]
    done = subprocess.run([*command, str(_FOLDER), "-k", "real"], env=environment, check=False)
    return done.returncode


def _read_cases(path: Path) -> Iterator[Case]:
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rows = tuple(row for item in node.decorator_list for row in _read_rows(item))
            if rows:
                # Without white space: a test that is only formatted anew is the same test.
                source = "".join((ast.get_source_segment(text, node) or "").split())
                yield Case(node.name, rows, sha256(source.encode()).hexdigest()[:16])


def _read_rows(decorator: ast.expr) -> Iterator[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.row":
        for argument in decorator.args:
            if isinstance(argument, ast.Constant):
                yield str(argument.value)


if __name__ == "__main__":
    sys.exit(main())
