"""Whatever a folder holds, the commands end with findings: no traceback, no hang."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.validate.validate_shell import Shell, write

FOLDER = "clusters/home/kubernetes"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def _binary(repo: Path) -> None:
    (repo / FOLDER / "junk.yaml").write_bytes(bytes(range(256)) * 400)


def _bomb(repo: Path) -> None:
    write(repo, {f"{FOLDER}/junk.yaml": BOMB})


def _deep(repo: Path) -> None:
    write(repo, {f"{FOLDER}/junk.yaml": "[" * 50_000})


def _long(repo: Path) -> None:
    lines = "".join(f"  key{number}: value\n" for number in range(100_000))
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: b}}\ndata:\n{lines}"
    write(repo, {f"{FOLDER}/junk.yaml": text})


def _encodings(repo: Path) -> None:
    (repo / FOLDER / "junk.yaml").write_bytes("ä: ö\n".encode("latin-1"))
    (repo / FOLDER / "wide.yaml").write_bytes("a: b\n".encode("utf-16"))


def _links(repo: Path) -> None:
    (repo / FOLDER / "junk.yaml").symlink_to("junk.yaml")
    (repo / FOLDER / "loop").symlink_to("..")
    (repo / FOLDER / "out.yaml").symlink_to("/etc/hostname")


def _names(repo: Path) -> None:
    name = os.fsencode(repo / FOLDER) + b"/\xff\x1b[31m b.yaml"
    Path(os.fsdecode(name)).write_text("kind: Kustomization\na: [\n")
    text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    text += 'metadata: {name: "\\e[2Jx"}\nspec: {path: "\\0"}\n'
    write(repo, {f"{FOLDER}/junk.yaml": text})


def _pipe(repo: Path) -> None:
    os.mkfifo(repo / FOLDER / "junk.yaml")


def _cycle(repo: Path) -> None:
    write(repo, {f"{FOLDER}/junk.yaml/kustomization.yaml": "resources: [..]\n"})


@pytest.mark.parametrize(
    "spoil", [_binary, _bomb, _deep, _long, _encodings, _links, _names, _pipe, _cycle]
)
def test_junk_becomes_findings(shell: Shell, repo: Path, spoil: Callable[[Path], None]) -> None:
    """Junk that a kustomization lists never stops the commands."""
    write(repo, {f"{FOLDER}/kustomization.yaml": "resources: [flux-entry.yaml, junk.yaml]\n"})
    spoil(repo)
    validated = shell.run("validate", "--repo", str(repo), "--json")
    drawn = shell.run("validate", "--repo", str(repo))
    listed = shell.run("inventory", "--repo", str(repo), "--json")

    assert {validated.code, drawn.code} <= {0, 2, 10}
    assert validated.json()["clusters"] == ["home"]
    assert "\x1b" not in drawn.stdout
    assert 0 == listed.code


def test_clusterenv_and_talconfig_may_be_anything(shell: Shell, repo: Path) -> None:
    """Files of the wrong shape at known places are read as far as they go."""
    write(
        repo,
        {
            "clusters/home/clusterenv.yaml": "- 1\n- {a: [b]}\n",
            "clusters/home/talos/talconfig.yaml": "nodes: {a: 1}\npatches: 3\n",
            ".sops.yaml": "creation_rules: [{path_regex: '(', age: [1]}, 5]\n",
            "mise.toml": "[tools\n",
            ".tool-versions": "talosctl\nkubectl 1.2.3\n",
        },
    )
    done = shell.run("validate", "--repo", str(repo), "--json")

    assert 2 == done.code
    assert "no-nodes" in done.ids()
