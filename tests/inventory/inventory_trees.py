"""Four real repositories, read once, and what was measured on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from inventory import Inventory, JsonObject, read_repository
from inventory.summary import summarise

REPOSITORIES = Path(__file__).parents[3] / "shared" / "data" / "repos"
SLUGS = ("abmania", "maverick", "nomenator", "zachbomb")


@cache
def read(slug: str) -> Inventory:
    """Read one tree, once."""
    return read_repository(REPOSITORIES / slug, "main")


@cache
def summary(slug: str) -> JsonObject:
    """Summarise one tree."""
    return summarise(read(slug))


@cache
def expected(slug: str) -> dict[str, JsonObject]:
    """Load what was measured."""
    loaded: dict[str, JsonObject] = yaml.safe_load(
        (REPOSITORIES / slug / "EXPECTED.yaml").read_text(encoding="utf-8")
    )
    return loaded
