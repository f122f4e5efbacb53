"""What `inventory` and `graph` show, through the real command."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.validate.validate_shell import SAMPLE, SHARED, Shell, digest, write

TREES = [SAMPLE, *(SHARED / "repos" / name for name in ("abmania", "maverick", "zachbomb"))]
KS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec: {path: ./clusters/home/kubernetes/%s/app, dependsOn: [%s],
  sourceRef: {kind: GitRepository, name: cluster}}
"""


def test_inventory_names_what_is_there(shell: Shell) -> None:
    """Nodes, layers, components, releases and sources of the sample are in the tables."""
    done = shell.run("inventory", "--repo", str(SAMPLE))

    assert 0 == done.code
    for word in ("cluster main", "Nodes", "controlplane", "Entries", "flux-entry", "Sources"):
        assert word in done.stdout
    assert "HelmRepository" in done.stdout


def test_inventory_is_one_json_document(shell: Shell) -> None:
    """With --json every cluster is an item with its totals, and no value of a variable."""
    done = shell.run("inventory", "--repo", str(SAMPLE), "--json")
    clusters = done.json()["clusters"]

    assert isinstance(clusters, list)
    assert ["main"] == [item["cluster"]["name"] for item in clusters]
    assert {"nodes", "layers", "releases", "sources", "versions"} <= set(clusters[0])


def test_inventory_shows_every_cluster(shell: Shell, repo: Path) -> None:
    """A repository with two clusters, one of them without Talos, is shown whole or by name."""
    write(repo, {"clusters/away/clusterenv.yaml": "CLUSTERNAME: away\n"})
    both = shell.run("inventory", "--repo", str(repo))
    one = shell.run("inventory", "--repo", str(repo), "--cluster", "away")
    wrong = shell.run("inventory", "--repo", str(repo), "--cluster", "awy")

    assert "cluster away" in both.stdout
    assert "cluster home" in both.stdout
    assert "cluster home" not in one.stdout
    assert (2, True) == (wrong.code, "did you mean `away`?" in wrong.stderr)


def test_graph_tells_declared_edges_from_inferred_ones(shell: Shell, repo: Path) -> None:
    """Text has two arrows, Mermaid two lines; both come from the same edges."""
    base = "clusters/home/kubernetes"
    needs = KS % ("web", "web", "{name: base}")
    write(
        repo,
        {
            f"{base}/kustomization.yaml": "resources: [flux-entry.yaml, base.yaml, web.yaml]\n",
            f"{base}/base.yaml": KS % ("base", "base", ""),
            f"{base}/web.yaml": needs,
            f"{base}/base/app/n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n",
            f"{base}/web/app/c.yaml": (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: web}\n"
            ),
        },
    )
    text = shell.run("graph", "--repo", str(repo))
    mermaid = shell.run("graph", "--repo", str(repo), "--format", "mermaid")

    assert "==> base: spec.dependsOn names base; has objects in namespace web" in text.stdout
    assert mermaid.stdout.startswith("flowchart LR\n")
    assert 0 == text.code


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
def test_graph_is_a_picture(shell: Shell, tree: Path, tmp_path: Path) -> None:
    """The suffix of --output decides the kind; the picture is well-formed and has no script."""
    if not tree.is_dir():
        pytest.skip("the shared test data is absent")
    picture = tmp_path / "graph.svg"
    before = digest(tree)
    done = shell.run("graph", "--repo", str(tree), "--output", str(picture))
    root = ET.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314 (our own)

    assert 0 == done.code
    assert root.tag.endswith("svg")
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert before == digest(tree)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inventory",), "cluster repository is missing"),
        (("graph", "--repo", "{repo}", "--format", "sgv"), "did you mean `svg`?"),
        (
            ("graph", "--repo", "{repo}", "--output", "{repo}/no/such/folder.svg"),
            "cannot be written",
        ),
        (("inventory", "--repo", "{repo}/nowhere"), "is not a folder"),
        (("inventory", "--repo", "{repo}/clusters"), "repository holds no cluster"),
    ],
)
def test_wrong_requests_are_two_lines(
    shell: Shell, repo: Path, words: tuple[str, ...], said: str
) -> None:
    """What cannot be done is an error and a hint, with exit code 2."""
    done = shell.run(*(word.format(repo=repo) for word in words))

    assert 2 == done.code
    assert said in done.stderr
    assert ["error", "hint"] == [line.partition(":")[0] for line in done.stderr.splitlines()]
