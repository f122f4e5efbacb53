"""Where a chart's archive is: in given folders first, then in the cache, then at its source."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle.drivers.credentials import HelmAccess
from lifecycle.drivers.helm import Helm
from lifecycle.errors import CommandFailedError, DriverError

__all__ = ["ChartCache", "ChartMissingError", "ChartSource"]


@dataclass(frozen=True, slots=True)
class ChartSource:
    """A chart in an exact version; `url` as in `Helm.pull`, empty when only folders may have it.

    `is_insecure` is what the source says of its registry: plain HTTP. `access` is the credential
    that the source names.
    """

    name: str
    version: str
    url: str = ""
    is_insecure: bool = False
    access: HelmAccess | None = field(default=None, repr=False)


class ChartMissingError(DriverError):
    """Raised when a chart is in no folder and its source does not give it."""

    def __init__(self, source: ChartSource, reason: str) -> None:
        archive = f"{source.name}-{source.version}.tgz"
        super().__init__(
            f"chart is missing: `{archive}`: {reason}",
            hint=f"put {archive} into a chart folder, or repair the source {source.url}".rstrip(),
        )
        self.source = source


@dataclass(frozen=True, slots=True)
class ChartCache:
    """Charts as `<name>-<version>.tgz`; an air-gapped site fills `folders` beforehand."""

    folders: tuple[Path, ...]
    cache: Path
    helm: Helm

    def find(self, source: ChartSource) -> Path | None:
        """Return the archive when it is on this machine."""
        places = (*self.folders, self.cache)
        names = _archive_names(source)
        paths = (folder / name for folder in places for name in names)
        return next((path for path in paths if path.is_file()), None)

    async def fetch(self, source: ChartSource) -> Path:
        """Return the archive, fetched from its source when it is not here yet.

        Raises:
            ChartMissingError: The source does not give it.
        """
        found = self.find(source)
        if found is not None:
            return found
        if not source.url:
            raise ChartMissingError(source, "no folder has it")
        self.cache.mkdir(parents=True, exist_ok=True)
        # Pulled beside the cache and renamed into it: an archive there is always whole.
        with tempfile.TemporaryDirectory(dir=self.cache) as name:
            folder = Path(name)
            try:
                await self.helm.pull(
                    *(source.url, source.name, source.version, folder),
                    plain_http=source.is_insecure,
                    access=source.access,
                )
            except DriverError as error:
                raise ChartMissingError(source, _describe(error)) from error
            pulled = next(folder.glob("*.tgz"), None)  # noqa: ASYNC240 - a folder of one file
            if pulled is None:
                raise ChartMissingError(source, "its source gave nothing")
            return pulled.replace(self.cache / _archive_names(source)[0])


def _describe(error: DriverError) -> str:
    """Return helm's own last words, without the command line around them."""
    said = error.stderr_tail.strip() if isinstance(error, CommandFailedError) else ""
    return said.splitlines()[-1].removeprefix("Error: ") if said else error.message


def _archive_names(source: ChartSource) -> tuple[str, ...]:
    """Return the archive's names: some charts carry a v in their version that releases omit."""
    bare = source.version.removeprefix("v")
    versions = dict.fromkeys((source.version, f"v{bare}", bare))
    return tuple(f"{source.name}-{version}.tgz" for version in versions)
