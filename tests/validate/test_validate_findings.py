"""What `validate` says and how it ends, through the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifecycle.cli.validate_tables import MAX_EACH
from tests.validate.validate_shell import (
    SAMPLE,
    SHARED,
    Done,
    Shell,
    commit,
    copy_tree,
    digest,
    write,
)

KUSTOMIZATION = "clusters/home/kubernetes/kustomization.yaml"
# What is wrong in each tree besides Secrets, which lie there in clear text as test data.
WRONG = {
    "nomenator": {
        "crd-beside-release",
        "missing-source",
        "namespace-not-declared",
        "two-upgraders",
    },
    "zachbomb": {"cold-start-cycle", "crd-beside-release", "namespace-not-declared"},
    "maverick": {"cold-start-cycle", "crd-beside-release", "crd-in-entry", "undefined-variable"},
    "abmania": {
        "layer-not-listed",
        "more-replicas-than-nodes",
        "namespace-not-declared",
        "provider-not-live",
        "release-without-provider",
    },
}


def break_build(repo: Path) -> None:
    """Make the entry's build fail."""
    write(repo, {KUSTOMIZATION: "resources: [flux-entry.yaml, gone.yaml]\n"})


def warn(repo: Path) -> None:
    """Give the repository one warning and nothing worse."""
    folder = "clusters/home/kubernetes"
    write(
        repo,
        {
            KUSTOMIZATION: "resources: [flux-entry.yaml, secret.yaml]\n",
            f"{folder}/secret.yaml": "apiVersion: v1\nkind: Secret\n"
            "metadata: {name: a, namespace: flux-system}\nstringData: {token: readable}\n",
        },
    )


def test_sound_folder_ends_with_zero(shell: Shell, repo: Path) -> None:
    """A plain folder without Git, tools and keys is judged, and nothing in it changes."""
    before = digest(repo)
    done = shell.run("validate", "--repo", str(repo), env={"PATH": "/nowhere"})

    assert (0, "") == (done.code, done.stderr)
    assert "home: no findings" in done.stdout
    assert before == digest(repo)


def test_errors_end_with_two_and_name_the_place(shell: Shell, repo: Path) -> None:
    """Each finding has path:line:column, severity, id, message and repair."""
    break_build(repo)
    done = shell.run("validate", "--repo", str(repo))

    assert 2 == done.code
    assert f"{KUSTOMIZATION}:1:30  missing-resource" in done.stdout
    assert "repair: correct the path or remove the line" in done.stdout
    assert "home: 2 error" in done.stdout


def test_many_findings_of_one_kind_are_folded(shell: Shell, repo: Path) -> None:
    """The table ends where nobody reads on; the documents for machines hold everything."""
    one = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cNUMBER}\n"
    files = {
        KUSTOMIZATION: "resources: [flux-entry.yaml, many.yaml]\n",
        "clusters/home/kubernetes/many.yaml": "".join(
            one.replace("NUMBER", str(number)) for number in range(MAX_EACH + 5)
        ),
    }
    write(repo, files)
    table = shell.run("validate", "--repo", str(repo))
    document = shell.run("validate", "--repo", str(repo), "--json")

    assert MAX_EACH == table.stdout.count("no-namespace\n")
    assert "and 5 more of no-namespace; --json and --sarif list them all" in table.stdout
    assert f"home: {MAX_EACH + 5} error" in table.stdout
    assert MAX_EACH + 5 == document.ids().count("no-namespace")


def test_warnings_end_with_ten(shell: Shell, repo: Path) -> None:
    """A warning and nothing worse has an exit code of its own."""
    warn(repo)
    done = shell.run("validate", "--repo", str(repo), "--json")

    assert 10 == done.code
    assert ["uncovered-secret"] == done.ids()
    assert 10 == done.json()["exit_code"]
    assert {"error": 0, "warning": 1, "info": 0} == done.json()["counts"]


def test_accepted_findings_do_not_count(shell: Shell, repo: Path) -> None:
    """The repository's own file, or a named one, accepts findings with a reason."""
    warn(repo)
    text = "- {id: uncovered-secret, path: clusters/**, reason: a rehearsal}\n"
    write(repo, {".talos-lifecycle-accepted.yaml": text})
    done = shell.run("validate", "--repo", str(repo), "--json")
    other = repo.parent / "accepted.yaml"
    other.write_text("- {id: no-nodes, reason: never}\n")
    named = shell.run("validate", "--repo", str(repo), "--accepted", str(other))

    assert (0, []) == (done.code, done.ids())
    accepted = done.json()["accepted"]
    assert isinstance(accepted, list)
    assert ["uncovered-secret"] == [item["id"] for item in accepted]
    assert 10 == named.code
    assert "accepts nothing any more: no-nodes" in named.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {id: no-nodse, reason: x}\n", "accepted.yaml:1:3: unknown finding: `no-nodse`"),
        ("- {id: no-nodes}\n", "no reason is given"),
        ("- [\n", "accepted.yaml:"),
        ("a: 1\n", "are no list"),
    ],
)
def test_wrong_acceptances_are_refused(shell: Shell, repo: Path, text: str, said: str) -> None:
    """A mistake in the file of accepted findings is an error with its place."""
    path = repo.parent / "accepted.yaml"
    path.write_text(text)
    done = shell.run("validate", "--repo", str(repo), "--accepted", str(path))

    assert 2 == done.code
    assert said in done.stderr


def test_sarif_has_the_shape_of_its_schema(shell: Shell, repo: Path) -> None:
    """One run, rules with help, results that name a rule, a level, and a place below the root."""
    break_build(repo)
    done = shell.run("validate", "--repo", str(repo), "--sarif")
    log = json.loads(done.stdout)
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}

    assert ("2.1.0", 2) == (log["version"], done.code)
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert result["ruleId"] in rules
        assert result["level"] in {"error", "warning", "note"}
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert place["region"]["startLine"] >= 1


def test_json_and_sarif_exclude_each_other(shell: Shell, repo: Path) -> None:
    """Two kinds of output on one stdout are refused."""
    done = shell.run("validate", "--repo", str(repo), "--json", "--sarif")

    assert 2 == done.code
    assert "leave out one" in done.stderr


@pytest.mark.parametrize("name", sorted(WRONG))
def test_real_repositories_are_wrong_where_they_are(shell: Shell, name: str) -> None:
    """The four trees have the errors that were measured on them, and no other kind."""
    tree = SHARED / "repos" / name
    if not tree.is_dir():
        pytest.skip("the shared test data is absent")
    before = digest(tree)
    done = shell.run("validate", "--repo", str(tree), "--json")
    found = done.json()["findings"]
    assert isinstance(found, list)
    errors = {item["id"] for item in found if item["severity"] == "error"}

    assert WRONG[name] == errors - {"plaintext-secret"}
    assert (2, before) == (done.code, digest(tree))


def kit_of(done: Done) -> dict[str, str]:
    """Return what the seed kit of `main` says of each thing."""
    kits = done.json()["seed_kit"]
    assert isinstance(kits, dict)
    return {item["name"]: item["place"] for item in kits["main"]}


def test_seed_kit_comes_from_a_clean_clone(shell: Shell, tmp_path: Path) -> None:
    """What is not committed does not count, and the clone is gone afterwards."""
    repo = copy_tree(SAMPLE, tmp_path / "sample")
    (repo / ".gitignore").write_text("age.agekey\n")
    commit(repo)
    (repo / "age.agekey").write_text("not committed\n")
    (repo / "note.txt").write_text("not committed\n")
    before = digest(repo)
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "SOPS_AGE_KEY": "AGE-SECRET-KEY-1X"}
    (tmp_path / "run").mkdir()
    done = shell.run("validate", "--repo", str(repo), "--seed-kit", "--json", env=env)
    kit = kit_of(done)

    assert "outside Git" == kit["age key"]
    assert "outside Git" == kit["1 changed files"]
    assert "in Git" == kit["Talos secrets"]
    assert (before, []) == (digest(repo), list((tmp_path / "run").iterdir()))


@pytest.mark.parametrize("name", sorted(WRONG))
def test_seed_kit_of_real_repositories(shell: Shell, tmp_path: Path, name: str) -> None:
    """Each tree names what it has in Git and what it lacks."""
    if not SHARED.is_dir():
        pytest.skip("the shared test data is absent")
    repo = copy_tree(SHARED / "repos" / name, tmp_path / name)
    commit(repo)
    done = shell.run("validate", "--repo", str(repo), "--seed-kit", "--json")
    kit = kit_of(done)

    assert "outside Git" == kit["age key"]
    assert ("outside Git" if name == "zachbomb" else "missing") == kit["etcd snapshot"]
    assert {"in Git", "outside Git", "missing"} >= set(kit.values())


def test_seed_kit_needs_git(shell: Shell, repo: Path) -> None:
    """A plain folder has no clean clone: the hint says what to do."""
    done = shell.run("validate", "--repo", str(repo), "--seed-kit")

    assert 2 == done.code
    assert "needs a Git repository with a commit" in done.stderr


def test_servers_are_asked_only_when_wanted(shell: Shell, repo: Path) -> None:
    """Without --online a dead remote is no finding; with it, it is one, soon."""
    entry = repo / "clusters/home/kubernetes/flux-entry.yaml"
    url = "https://127.0.0.1:9/x.git"
    entry.write_text(entry.read_text().replace("ssh://git@git.lab.example/x.git", url))
    offline = shell.run("validate", "--repo", str(repo), "--json")
    online = shell.run("validate", "--repo", str(repo), "--json", "--online")

    assert [] == offline.ids()
    assert (2, ["remote-unreachable"]) == (online.code, online.ids())


def test_source_whose_secret_cannot_be_read_is_not_asked(shell: Shell, repo: Path) -> None:
    """What a server says to somebody without the credential is no finding; a note names it."""
    entry = repo / "clusters/home/kubernetes/flux-entry.yaml"
    private = 'secretRef: {name: deploy-key}, url: "https://127.0.0.1:9/x.git"'
    url = 'url: "ssh://git@git.lab.example/x.git"'
    entry.write_text(entry.read_text().replace(url, private))
    done = shell.run("validate", "--repo", str(repo), "--json", "--online")

    assert "remote-unreachable" not in done.ids()
    assert [
        "not asked, since the Secret that they name cannot be read: GitRepository/cluster"
    ] == done.json()["notes"]
