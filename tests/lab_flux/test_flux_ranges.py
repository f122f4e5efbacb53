"""Ranges of chart versions."""

from __future__ import annotations

import pytest

from lab.charts.ranges import choose_version

VERSIONS = ("0.2.9", "0.3.1", "1.2.3", "1.3.0", "v1.10.0", "2.0.0", "2.1.0-rc.1", "nonsense")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("1.x", "v1.10.0"),
        ("1.2.x", "1.2.3"),
        ("*", "2.0.0"),
        ("", "2.0.0"),
        (">=1.0.0 <1.3.0", "1.2.3"),
        (">= 1.2.3, < 1.10.0", "1.3.0"),
        (">1.10.0", "2.0.0"),
        ("<=1.2", "1.2.3"),
        ("~1.2.0", "1.2.3"),
        ("~1", "v1.10.0"),
        ("^1.2", "v1.10.0"),
        ("^0.2.1", "0.2.9"),
        ("0.2.x || 0.3.x", "0.3.1"),
        ("=1.3.0", "1.3.0"),
        (">=3", ""),
        ("9.x", ""),
    ],
)
def test_highest_version_that_fits(wanted: str, chosen: str) -> None:
    """Prereleases and what is no version are left out; a leading v is kept."""
    assert chosen == choose_version(wanted, VERSIONS)
