"""A Git remote that tests push to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.kubernetes.values import Object
from lab.tools import LabTools


@dataclass(frozen=True)
class Remote:
    """A Git remote that a test pushes manifests to."""

    path: Path
    tools: LabTools

    def push(self, files: Mapping[str, list[Object] | Object]) -> str:
        """Commit files on top of those before; returns the commit."""
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            documents = content if isinstance(content, list) else [content]
            file.write_text(yaml.safe_dump_all(documents))
        self.tools.run("git", "add", "--all", cwd=self.path)
        self.tools.run("git", "commit", "--quiet", "--message", "Change", cwd=self.path)
        self.tools.run("git", "push", "--quiet", "origin", "main", cwd=self.path)
        return self.tools.run("git", "rev-parse", "HEAD", cwd=self.path).strip()
