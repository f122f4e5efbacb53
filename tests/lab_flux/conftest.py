"""What the Flux tests share: tools, charts, a Git remote, a running cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.charts import ChartWanted, build_charts
from lab.kubernetes.values import Object
from lab.tools import LabTools, ToolMissingError
from tests.lab_flux.flux_world import FluxWorld, make_git_repository, run_world

URL = "ssh://git@git.lab.example/test.git"


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


@pytest.fixture(scope="session")
def helm_tools() -> LabTools:
    """Tools with a real helm; skips without one."""
    tools = LabTools()
    try:
        tools.find("helm")
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    return tools


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart cache with the charts that the tests install."""
    cache = tmp_path_factory.mktemp("charts")
    names = ("longhorn", "cert-manager", "app-template", "tuppr", "metallb-config", "cilium")
    build_charts([ChartWanted(name, "1.2.3") for name in names], cache)
    return cache


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """An empty remote, reached under `URL` through insteadOf."""
    bare, work = tmp_path / "remote.git", tmp_path / "tree"
    tools = LabTools(
        env={
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": URL,
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@lab.example",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@lab.example",
        }
    )
    tools.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    tools.run("git", "init", "--quiet", "--initial-branch=main", str(work))
    tools.run("git", "remote", "add", "origin", URL, cwd=work)
    return Remote(work, tools)


@pytest.fixture
async def world(tmp_path: Path, remote: Remote, charts: Path) -> AsyncIterator[FluxWorld]:
    """A cluster whose Flux runs and whose source `cluster` is the remote."""
    async with run_world(tmp_path / "work", remote.tools, charts) as running:
        await running.apply(make_git_repository(URL))
        yield running
