"""What each finding looks like in a file: a few lines, the wrong one marked where it helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.rules._examples_cluster import CLUSTER
from inventory.rules._examples_files import FILES
from inventory.rules._examples_flux import FLUX

_HEADING: Final = "=== "


def _split(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(_HEADING)[1:]:
        name, _, example = part.partition("\n")
        yield name.strip(), example.strip("\n")


EXAMPLES: Final[dict[str, str]] = {
    name: example for text in (FILES, FLUX, CLUSTER) for name, example in _split(text)
}
