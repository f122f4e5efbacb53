"""What is wrong with a repository is said with its place, before any machine is touched."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from lifecycle.engine import RunState
from tests.refusals.refusals_lab import Place, RefusalLab

NOTES = "clusters/main/kubernetes/apps/notes/app/helm-release.yaml"
LAYER = "clusters/main/kubernetes/apps/kustomization.yaml"
TALCONFIG = "clusters/main/talos/talconfig.yaml"


@pytest.fixture
def age_key(bare: RefusalLab) -> Iterator[Path]:
    """The lab's key file, put back afterwards."""
    file = Path(bare.lab.env["SOPS_AGE_KEY_FILE"])
    content = file.read_text()
    yield file
    file.write_text(content)


def test_key_that_does_not_decrypt(bare: RefusalLab, age_key: Path) -> None:
    """Another key than the recipients' is found out at once, with every file and its stanza."""
    age_key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    lines = bare.read("clusters/main/clusterenv.yaml").splitlines()

    said = bare.refuse()

    assert 4 == said.code
    place = f"clusters/main/clusterenv.yaml:{lines.index('sops:') + 1}:1"
    assert f"Decrypt every secret in memory: {place}: no age key decrypts it" in said.error
    assert 5 == said.error.count("no age key decrypts it")
    assert "--age-key FILE" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_file_without_a_key(bare: RefusalLab, age_key: Path) -> None:
    """A key file that holds none is named."""
    age_key.write_text("# no identity\n")

    said = bare.refuse()

    assert 2 == said.code
    assert f"file holds no age identity: `{age_key}`" in said.error
    assert "AGE-SECRET-KEY-1" in said.hint


def test_no_key_at_all(bare: RefusalLab, place: Place) -> None:
    """Without a key anywhere, that is what is said, not that each file does not decrypt."""
    environ = place.environ(**_git_of(bare))

    said = place.run("bootstrap", "--yes", "--repo", str(bare.repository), environ=environ)

    assert 4 == said.code
    assert "no age key, and 5 file(s) are encrypted" in said.stderr
    assert "hint: give it with --age-key FILE or SOPS_AGE_KEY_FILE" in said.stderr
    assert "no age key decrypts it" not in said.stderr


def test_rehearsal_with_a_key_that_does_not_decrypt(bare: RefusalLab, place: Place) -> None:
    """A lab of one's own repository, which needs its key to begin with, says what it lacks."""
    repository, key = place.folder / "own", place.folder / "wrong.agekey"
    bare.git("clone", "--quiet", str(bare.repository), str(repository))
    key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    words = ("bootstrap", "--lab", "--yes", "--repo", str(repository))

    wrong, none = place.run(*words, "--age-key", str(key)), place.run(*words)

    assert (4, 4) == (wrong.code, none.code)
    name = "clusters/main/clusterenv.yaml"
    assert f"error: cannot decrypt with the key of {key}: `{name}`" in wrong.stderr
    assert f"error: cannot decrypt without an age key: `{name}`" in none.stderr
    assert "--age-key FILE" in none.hint


def test_dirty_work_tree(bare: RefusalLab) -> None:
    """What Flux would not see is named; it is not committed for the user."""
    with bare.put_back():
        for path in (LAYER, "scratch.yaml"):
            with (bare.repository / path).open("a") as file:
                file.write("# a thought\n")
        said = bare.refuse()

    assert 4 == said.code
    assert f"changes that Flux would not see: {LAYER}, scratch.yaml" in said.error
    assert "commit and push them" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_commit_that_is_not_pushed(bare: RefusalLab) -> None:
    """Flux follows the remote: a commit that is only here is refused, with the source's place."""
    with bare.changed_file("README.md", "hello\n", push=False):
        commit = bare.git("rev-parse", "--short=7", "HEAD").strip()
        said = bare.refuse()

    assert 4 == said.code
    assert "source `cluster` (repositories/git/this-repo.yaml:1:1) is at" in said.error
    assert f"not at this commit {commit}" in said.error
    assert "git push" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_chart_that_is_nowhere(bare: RefusalLab) -> None:
    """A version that neither folders nor the source have is named with its release."""
    content = bare.read(NOTES).replace("version: 4.6.2", "version: 4.6.99")
    with bare.changed_file(NOTES, content):
        said = bare.refuse()

    assert 4 == said.code
    assert f"{NOTES}:1:1: chart is missing: `app-template-4.6.99.tgz`: " in said.error
    assert "put app-template-4.6.99.tgz into a chart folder" in said.hint
    assert "--accept notes" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_chart_that_is_not_whole(bare: RefusalLab, tmp_path: Path) -> None:
    """Half a download in a chart folder is named with its file, not taken for a chart."""
    archive = tmp_path / "app-template-4.6.2.tgz"
    archive.write_bytes(gzip.compress(b"half of it")[:-9])
    said = bare.refuse("--charts", str(tmp_path))

    assert 4 == said.code
    assert (
        f"{NOTES}:1:1: chart cannot be read: `{archive}`: package is no gzipped tar" in said.error
    )
    assert "remove the file" in said.hint
    assert "--accept notes" in said.hint


def test_source_that_is_not_declared(bare: RefusalLab) -> None:
    """A release whose source does not exist is named at the reference."""
    content = bare.read(NOTES).replace("name: bjw-s\n", "name: nowhere\n")
    with bare.changed_file(NOTES, content):
        said = bare.refuse()

    assert 4 == said.code
    assert f"{NOTES}:13:9: source of HelmRelease `notes` does not exist" in said.error
    assert "`HelmRepository/flux-system/nowhere`" in said.error
    assert "declare the source" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


@pytest.mark.parametrize("path", [NOTES, LAYER], ids=["release", "kustomization"])
def test_broken_yaml(bare: RefusalLab, path: str) -> None:
    """A file that is live and not YAML is named with line and column."""
    content = bare.read(path)
    line = content.count("\n") + 1
    with bare.changed_file(path, f"{content}broken: [\n"):
        said = bare.refuse()

    assert 4 == said.code
    assert f"{path}:{line + 1}:1: " in said.error
    assert "invalid-yaml" in said.error
    assert "correct the file at this position" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_broken_talconfig(bare: RefusalLab) -> None:
    """A talconfig that is not YAML is not taken for one that is missing."""
    content = bare.read(TALCONFIG)
    line = content.count("\n") + 1
    with bare.changed_file(TALCONFIG, f"{content}broken: [\n"):
        said = bare.refuse()

    assert 2 == said.code
    assert f"error: {TALCONFIG}:{line + 1}:1: " in said.error
    assert "correct the file at this position" in said.hint


def test_cluster_that_is_not_there(bare: RefusalLab, place: Place) -> None:
    """A mistyped cluster is refused with the nearest one, on real machines and in the lab."""
    rehearsed = bare.refuse("--cluster", "mian")
    said = place.run("bootstrap", "--yes", "--repo", str(bare.repository), "--cluster", "mian")

    assert (2, 2) == (rehearsed.code, said.code)
    assert "error: cluster is unknown: `mian`" == rehearsed.error == said.error
    assert "hint: did you mean `main`?" == rehearsed.hint == said.hint


def test_folder_that_is_not_in_git(place: Place) -> None:
    """A tree that Git does not know cannot be what Flux reads."""
    tree = place.folder / "tree"
    _make_cluster(tree)

    said = place.run("bootstrap", "--yes", "--repo", str(tree))

    assert 2 == said.code
    assert f"error: cluster repository is not a Git repository: `{tree}`" == said.error
    assert "git init" in said.hint
    assert not (tree / ".git").exists()


def test_repository_without_a_commit(place: Place) -> None:
    """A repository that was only begun has nothing that Flux could read."""
    tree = place.folder / "tree"
    _make_cluster(tree)
    (tree / ".git").mkdir()
    for name in ("objects", "refs"):
        (tree / ".git" / name).mkdir()
    (tree / ".git" / "HEAD").write_text("ref: refs/heads/main\n")

    said = place.run("bootstrap", "--yes", "--repo", str(tree))

    assert 2 == said.code
    assert f"error: cluster repository has no commit yet: `{tree}`" == said.error
    assert "commit what is there" in said.hint


def test_folder_without_clusters(place: Place) -> None:
    """Any other folder is told from a cluster repository."""
    said = place.run("bootstrap", "--yes", "--repo", str(place.folder))

    assert 2 == said.code
    assert f"error: repository holds no cluster: `{place.folder}`" == said.error
    assert "clusters/<name>" in said.hint


def test_rehearsal_of_a_folder_that_is_no_repository(place: Place) -> None:
    """The lab, too, says what it lacks, not which of its files it did not find."""
    tree = place.folder / "tree"
    _make_cluster(tree)

    said = place.run("bootstrap", "--lab", "--yes", "--repo", str(tree))

    assert 4 == said.code
    assert f"neither a Git repository nor a plain tree with .sops.yaml: `{tree}`" in said.error
    assert "lab.log" in said.hint


def _make_cluster(tree: Path) -> None:
    (tree / "clusters" / "main").mkdir(parents=True)
    (tree / "clusters" / "main" / "clusterenv.yaml").write_text("CLUSTERNAME: main\n")


def _git_of(lab: RefusalLab) -> dict[str, str]:
    """Return what makes git find the lab's remote, without the lab's key."""
    return {name: value for name, value in lab.lab.env.items() if name.startswith("GIT_")}
