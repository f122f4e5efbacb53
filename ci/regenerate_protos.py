"""Regenerate the lab's gRPC messages from its `.proto` files: `python -m ci.regenerate_protos`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]  # ships no types

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "lab" / "machines" / "protos"


def main() -> int:
    """Make messages of every `.proto` file, and stubs of those with services."""
    sources = sorted(PROTOS.glob("*.proto"))
    with_services = [path for path in sources if "\nservice " in path.read_text("utf-8")]
    # The plugin lies beside the interpreter, which need not be on PATH.
    plugin = Path(sys.executable).parent / "protoc-gen-grpclib_python"
    return _run_protoc([f"--python_out={ROOT}", f"--pyi_out={ROOT}"], sources) or _run_protoc(
        [f"--plugin={plugin}", f"--grpclib_python_out={ROOT}"], with_services
    )


def _run_protoc(outputs: Sequence[str], sources: Sequence[Path]) -> int:
    # Paths from the root: the generated modules import each other as lab.machines.protos.….
    well_known = files("grpc_tools") / "_proto"
    names = [str(path.relative_to(ROOT)) for path in sources]
    return int(
        protoc.main(
            ["protoc", f"--proto_path={ROOT}", f"--proto_path={well_known}", *outputs, *names]
        )
    )


if __name__ == "__main__":
    sys.exit(main())
