"""Fixtures of the report's tests."""

from __future__ import annotations

import pytest

from tests.report.report_story import Plans


@pytest.fixture
def plans() -> Plans:
    """Builders of plans and of stories about them."""
    return Plans()
