"""What the Flux tests share: tools, charts, a Git remote, a running cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from lab.charts import ChartWanted, build_charts
from lab.tools import LabTools, ToolMissingError
from tests.lab_flux.flux_charts import write_charts
from tests.lab_flux.flux_contract import Flux, LabWorld, prepare
from tests.lab_flux.flux_oci import LAB_HOST, Served
from tests.lab_flux.flux_registry import Registry, digest_of, push_charts, serve_registry
from tests.lab_flux.flux_remote import Remote
from tests.lab_flux.flux_world import FluxWorld, make_git_repository, run_world
from tests.lab_flux.real_flux import RealFlux, RealFluxWorld, explain_no_flux, run_real_flux

URL = "ssh://git@git.lab.example/test.git"
CHARTS_URL = "https://charts.lab.example"


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


@pytest.fixture(scope="session")
def own_charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Charts without pods, with the index of an HTTP repository."""
    folder = tmp_path_factory.mktemp("own-charts")
    write_charts(folder)
    return folder


@pytest.fixture(scope="session")
def real(own_charts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFlux]:
    """Real controllers for all tests."""
    if reason := explain_no_flux():
        pytest.skip(reason)
    with run_real_flux(tmp_path_factory.mktemp("flux"), own_charts) as running:
        yield running


@pytest.fixture
async def lab_flux(tmp_path: Path, remote: Remote, own_charts: Path) -> AsyncIterator[Flux]:
    """The lab's Flux."""
    async with (
        run_world(tmp_path / "work", remote.tools, own_charts) as world,
        prepare(LabWorld(world), remote, URL, CHARTS_URL) as found,
    ):
        yield found


@pytest.fixture
async def real_flux(real: RealFlux, remote: Remote) -> AsyncIterator[Flux]:
    """The real Flux."""
    name = f"{uuid4().hex[:8]}.git"
    bare = Path(remote.path).with_name("remote.git")
    (real.repositories / name).symlink_to(bare)
    async with httpx2.AsyncClient(base_url=real.server.url, verify=real.server.context) as http:
        world = RealFluxWorld(http, real.plurals)
        async with prepare(world, remote, f"{real.git_url}/{name}", real.charts_url) as found:
            yield found


@pytest.fixture(params=["lab_flux", pytest.param("real_flux", marks=pytest.mark.tools)])
def flux(request: pytest.FixtureRequest) -> Flux:
    """Each Flux in turn."""
    found: Flux = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def served(flux: Flux, own_charts: Path) -> Iterator[Served]:
    """A registry with the charts: a real one, or a name for the lab."""
    registry = Registry()
    push_charts(registry, own_charts)
    digest = digest_of(registry.tags["charts/web"]["1.3.0"])
    if isinstance(flux.cluster, LabWorld):
        yield Served(LAB_HOST, digest)
        return
    with serve_registry(registry) as host:
        yield Served(host, digest)
