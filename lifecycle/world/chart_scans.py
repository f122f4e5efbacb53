"""What packaged charts say of CRDs, read once for each archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inventory.charts import ChartError, scan_chart
from lifecycle.drivers.files import write_private
from lifecycle.errors import InventoryError

__all__ = ["ChartScans"]


@dataclass(slots=True)
class ChartScans:
    """Keeps scans in memory by archive, and in `folder` by an archive's digest."""

    folder: Path
    _known: dict[Path, Mapping[str, list[str]]] = field(default_factory=dict)

    def scan(self, archive: Path) -> Mapping[str, list[str]]:
        """Return the `crds` of a chart, and the `templates` that mention CRDs.

        Raises:
            InventoryError: The file is no chart, or not all of one.
        """
        if archive not in self._known:
            self._known[archive] = self._read(archive)
        return self._known[archive]

    def _read(self, archive: Path) -> Mapping[str, list[str]]:
        content = archive.read_bytes()
        cached = self.folder / f"{hashlib.sha256(content).hexdigest()}.json"
        try:
            known = json.loads(cached.read_text(encoding="utf-8"))
            return {"crds": list(known["crds"]), "templates": list(known["templates"])}
        except (OSError, ValueError, KeyError, TypeError):
            pass
        try:
            scan = scan_chart(content)
        except ChartError as error:
            raise InventoryError(
                f"chart cannot be read: `{archive}`: {error}",
                hint="remove the file, so that it is fetched anew, or put the whole chart there",
            ) from error
        result = {"crds": sorted(scan.crds), "templates": list(scan.crd_templates)}
        write_private(cached, json.dumps(result).encode())
        return result
