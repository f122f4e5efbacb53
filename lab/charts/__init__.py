"""Charts for the lab: real ones where they are at hand, small ones of our own elsewhere.

Here lives what is needed to fill a chart cache folder for a repository. Charts are described in
our own words; nothing here installs or renders one (that is `lab.flux` with the real helm).
"""

from __future__ import annotations

from lab.charts.build import (
    ChartWanted,
    build_charts,
    find_chart,
    list_versions,
    name_chart_file,
    resolve_chart,
)
from lab.charts.ranges import is_exact
from lab.charts.used import UsedKind, find_used_kinds
from lab.charts.wanted import find_wanted_charts, split_chart_url

__all__ = [
    "ChartWanted",
    "UsedKind",
    "build_charts",
    "find_chart",
    "find_used_kinds",
    "find_wanted_charts",
    "is_exact",
    "list_versions",
    "name_chart_file",
    "resolve_chart",
    "split_chart_url",
]
