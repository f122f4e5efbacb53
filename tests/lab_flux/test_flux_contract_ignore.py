"""One suite for two Fluxes, the lab's and real controllers: what artifacts leave out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.kubernetes.values import Object, at
from tests.lab_flux.flux_contract import Flux
from tests.lab_flux.flux_world import GIT, has_failed, is_ready

SPEC = """\
# nothing but the folders of this test
/*
!/a
/a/spec-*
!/a/wanted.yaml
"""
FILES = {
    "a/.sourceignore": "# files\nfile-*.yaml\n!file-back.yaml\nwanted.yaml\n/deep/*.yaml\n",
    "a/deep/.sourceignore": "!back.yaml\r\n",
}
MAPS = (
    *("one", "spec-out", "file-out", "file-back", "wanted", ".sops", "deep/out", "deep/back"),
    "deep/x/far",
)


def name_of(path: str) -> str:
    """The name of the ConfigMap that lies in a file."""
    return path.strip(".").replace("/", "-")


async def push(flux: Flux, files: dict[str, str], *, link: str = "") -> None:
    """Commit a ConfigMap a file, files of patterns, and perhaps a link to the first."""
    root: Path = flux.remote.path
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, newline="")
    if link:
        (root / link).symlink_to("one.yaml")
    await flux.push(**{path: flux.settings(name_of(path)) for path in MAPS})


async def applied(flux: Flux) -> set[str]:
    """The ConfigMaps that are there."""
    names = (name_of(path) for path in MAPS)
    return {name for name in names if await flux.data_of(name) is not None}


async def ask_again(flux: Flux, ignore: str) -> None:
    """Give the source patterns of its own."""
    source = await flux.ask(GIT, "cluster")
    kept = ("interval", "url", "ref")
    spec = source["spec"]
    assert isinstance(spec, dict)
    wanted: Object = {
        "apiVersion": GIT[0],
        "kind": GIT[1],
        "metadata": {"name": "cluster", "namespace": flux.space},
        "spec": {**{key: spec[key] for key in kept}, "ignore": ignore},
    }
    await flux.cluster.apply(wanted)
    await flux.cluster.until(
        GIT,
        "cluster",
        flux.space,
        lambda obj: is_ready(obj) and at(obj, "status").get("observedGeneration") == 2,
    )


async def test_defaults_count_where_nobody_says_more(flux: Flux) -> None:
    """Without any pattern, `.sops.yaml` is no manifest."""
    await push(flux, {})
    await flux.begin("a", "./a")
    await flux.until("a", is_ready)

    assert {name_of(path) for path in MAPS} - {"sops"} == await applied(flux)


async def test_files_of_patterns_leave_out(flux: Flux) -> None:
    """Later patterns and deeper files win; the defaults count no more."""
    await push(flux, FILES)
    await flux.begin("a", "./a")
    await flux.until("a", is_ready)

    assert {"one", "spec-out", "file-back", "sops", "deep-back", "deep-x-far"} == await applied(
        flux
    )


async def test_the_spec_has_the_last_word(flux: Flux) -> None:
    """Over files, too; a folder that is out comes back with what is in."""
    await push(flux, FILES)
    await ask_again(flux, SPEC)
    await flux.begin("a", "./a")
    await flux.until("a", is_ready)

    assert {name_of(path) for path in MAPS} - {"spec-out"} == await applied(flux)


@pytest.mark.parametrize("ignore", ["a/", "/a"])
async def test_a_path_that_is_left_out_does_not_exist(flux: Flux, ignore: str) -> None:
    """As a path that is not in Git."""
    await push(flux, {})
    await ask_again(flux, ignore)
    await flux.begin("a", "./a")
    status, reason, message = await flux.tell("a", has_failed)

    assert ("False", "ArtifactFailed") == (status, reason)
    assert "kustomization path not found" in message


async def test_links_are_in_no_artifact(flux: Flux) -> None:
    """What a kustomization lists through one is missing."""
    listed = {"a/kustomization.yaml": "resources: [link.yaml]\n"}
    await push(flux, listed, link="a/link.yaml")
    await flux.begin("a", "./a")
    status, reason, message = await flux.tell("a", has_failed)

    assert ("False", "BuildFailed") == (status, reason)
    assert "link.yaml" in message
