"""The reference pages, made from the code: `python -m ci.docs [--check]`.

Each page is a function that returns the text of one file below docs/reference. May live here:
reading the code and writing Markdown. May not: sentences that the code could say itself.
"""

from __future__ import annotations

from ci.docs.pages import PAGES, find_stale, write_pages

__all__ = ["PAGES", "find_stale", "write_pages"]
