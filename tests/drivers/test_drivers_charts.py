"""What the doors to helm and to charts promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.drivers.charts import ChartCache, ChartMissingError, ChartSource
from lifecycle.drivers.helm import Helm, Rendering
from lifecycle.drivers.process import ProcessRunner
from lifecycle.errors import CommandFailedError
from tests.drivers.fakes import ScriptedRunner, Stub

SOURCE = ChartSource("cert-manager", "1.19.1", "oci://registry.example/charts")


# Leaves an archive where it was told to, and a line for each call.
PULLING_HELM = """
import pathlib, sys
destination = pathlib.Path(sys.argv[sys.argv.index("--destination") + 1])
(destination / "cert-manager-v1.19.1.tgz").write_bytes(b"tgz")
with (destination.parent.parent / "calls").open("a") as file:
    print(*sys.argv[1:3], file=file)
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart with one template, one CRD and a value."""
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "crds").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 1.0.0\n")
    (folder / "crds" / "a.yaml").write_text("kind: CustomResourceDefinition\n")
    (folder / "templates" / "a.yaml").write_text(
        "kind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
        "  namespace: {{ .Release.Namespace }}\n"
        'data:\n  say: {{ required "say is needed" .Values.say }}\n'
        '  crd: "{{ .Capabilities.APIVersions.Has "longhorn.io/v1beta2" }}"\n'
        "  kube: {{ .Capabilities.KubeVersion.Version }}\n"
    )
    return folder


@pytest.fixture
def real_helm(runner: ProcessRunner, real_tool: Callable[[str], str], tmp_path: Path) -> Helm:
    """The real helm with a home of its own."""
    return Helm(real_tool("helm"), runner, tmp_path / "home")


async def test_chart_renders_with_its_values(real_helm: Helm, chart: Path) -> None:
    """Values, versions and API versions reach the templates; CRDs come when asked for."""
    rendering = Rendering(
        "web",
        "shop",
        chart,
        values={"say": "hello"},
        api_versions=("longhorn.io/v1beta2",),
        kubernetes_version="1.36.3",
        include_crds=True,
    )

    text = (await real_helm.template(rendering)).reveal_text()

    for line in ("name: web", "namespace: shop", "say: hello", 'crd: "true"', "kube: v1.36.3"):
        assert line in text
    assert "CustomResourceDefinition" in text


async def test_chart_that_does_not_render_is_an_error(real_helm: Helm, chart: Path) -> None:
    """A template's complaint is in the error."""
    with pytest.raises(CommandFailedError, match="say is needed"):
        await real_helm.template(Rendering("web", "shop", chart))


async def test_values_are_in_no_argument(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """Values go through stdin, whatever they hold."""
    scripted.answer("template", "a: b")
    helm = Helm("helm", scripted, tmp_path)

    await helm.template(Rendering("web", "shop", Path("c.tgz"), values={"password": "hunter22"}))

    assert scripted.inputs == [json.dumps({"password": "hunter22"}).encode()]
    assert "hunter22" not in " ".join(scripted.asked[0])


async def test_folder_comes_before_the_source(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """A chart in a folder is taken from there, also when its version has a v."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "cert-manager-v1.19.1.tgz").write_bytes(b"tgz")
    charts = ChartCache((site,), tmp_path / "cache", Helm("helm", scripted, tmp_path))

    assert await charts.fetch(SOURCE) == site / "cert-manager-v1.19.1.tgz"


async def test_source_fills_the_cache_once(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """A chart is pulled from its source once and then found in the cache."""
    helm = Helm(str(stub("helm", PULLING_HELM)), runner, tmp_path)
    charts = ChartCache((), tmp_path / "cache", helm)

    first = await charts.fetch(SOURCE)
    second = await charts.fetch(SOURCE)

    assert first == second == tmp_path / "cache" / "cert-manager-1.19.1.tgz"
    assert (tmp_path / "calls").read_text() == "pull oci://registry.example/charts/cert-manager\n"


async def test_chart_that_nobody_has_is_named(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """A chart that its source does not give is an error that names archive and source."""
    scripted.answer("pull", stderr="Error: not found", returncode=1)
    charts = ChartCache((), tmp_path / "cache", Helm("helm", scripted, tmp_path))

    with pytest.raises(ChartMissingError, match=r"cert-manager-1\.19\.1\.tgz") as caught:
        await charts.fetch(SOURCE)

    assert "oci://registry.example/charts" in caught.value.hint


async def test_http_repository_is_named_as_one(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """A chart of an HTTP repository is pulled by name from that repository."""
    scripted.answer("pull")

    await Helm("helm", scripted, tmp_path).pull("https://c.example", "tiny", "1.0.0", tmp_path)

    words = f"helm pull tiny --repo https://c.example --version 1.0.0 --destination {tmp_path}"
    assert " ".join(scripted.asked[0]) == words
