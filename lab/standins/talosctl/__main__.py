"""`python -m lab.standins.talosctl`."""

from __future__ import annotations

from lab.standins.talosctl.command import main

if __name__ == "__main__":
    raise SystemExit(main())
