"""Writes the reference pages, or with `--check` says which ones are out of date."""

from __future__ import annotations

import argparse
import sys

from ci.docs.pages import find_stale, write_pages

__all__ = ["main"]


def main() -> int:
    """Return 0, or with `--check` 1 when a page differs from what the code says."""
    parser = argparse.ArgumentParser(prog="python -m ci.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Comparison only; writes nothing")
    if not parser.parse_args().check:
        for path in write_pages():
            print(f"written: {path}")
        return 0
    stale = find_stale()
    for path in stale:
        print(f"page is out of date: `{path}`", file=sys.stderr)
    if stale:
        print("hint: `invoke docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
