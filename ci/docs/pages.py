"""Which pages there are, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ci.docs.diagnoses import make_diagnoses
from ci.docs.errors import make_errors, make_exit_codes
from ci.docs.faults import make_faults
from ci.docs.findings import make_findings
from ci.docs.nodes import make_gates, make_steps
from ci.docs.rows import make_rows
from ci.docs.runs import make_runs
from ci.docs.settings import make_environment, make_events
from ci.docs.tasks import make_tasks

__all__ = ["PAGES", "PARTS", "ROOT", "find_stale", "make_page", "write_pages"]

ROOT = Path(__file__).resolve().parents[2]

_MARK = "<!-- Made from the code by `invoke docs`; change the code, not this page. -->\n\n"

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/tasks.md": make_tasks,
    "docs/reference/runs.md": make_runs,
    "docs/reference/steps.md": make_steps,
    "docs/reference/gates.md": make_gates,
    "docs/reference/exit-codes.md": make_exit_codes,
    "docs/reference/errors.md": make_errors,
    "docs/reference/events.md": make_events,
    "docs/reference/environment.md": make_environment,
    "docs/reference/findings.md": make_findings,
    "docs/reference/faults.md": make_faults,
    "docs/reference/diagnoses.md": make_diagnoses,
}


# Pages that people write, with a part between two marks that is made from the code.
PARTS: Mapping[str, Callable[[], str]] = {"docs/explanation/lab.md": make_rows}
_BEGIN = "<!-- Made from the code by `invoke docs`: begin -->\n"
_END = "<!-- Made from the code by `invoke docs`: end -->\n"


def make_page(path: str) -> str:
    """Return the text of a page, by its path below the repository's root."""
    if path not in PARTS:
        return _MARK + PAGES[path]()
    before, _, rest = _read(path).partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{PARTS[path]()}\n{_END}{after}"


def find_stale() -> list[str]:
    """Return the paths of pages that are missing or differ from what the code says."""
    return [path for path in (*PAGES, *PARTS) if _read(path) != make_page(path)]


def write_pages() -> list[str]:
    """Write the pages that differ and return their paths."""
    stale = find_stale()
    for path in stale:
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make_page(path), encoding="utf-8")
    return stale


def _read(path: str) -> str:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""
