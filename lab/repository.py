"""Turns a plain tree, or a user's own repository, into what the lab rehearses: Git with a remote.

A plain tree holds every file in clear and names in `ENCRYPTED.txt` the ones that are SOPS files
in life. The lab makes a fresh age key, a fresh deploy key and fresh Talos secrets, encrypts
those files with the real sops, and commits. Beside the work tree lies a bare repository, which
git takes for the declared remote through `url.<base>.insteadOf` in its environment, so that the
addresses in the tree stay as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inventory.reading import list_clusters
from lab.kubernetes.values import text
from lab.repository_keys import encrypt, find_documents, make_age_key, make_secrets
from lab.tools import LabTools, ToolFailedError

__all__ = [
    "AUTHOR",
    "MaterializedRepository",
    "choose_cluster",
    "decrypt_environment",
    "find_branch",
    "find_given_key",
    "find_sample",
    "materialize",
]

_LEFT_OUT = frozenset({"EXPECTED.yaml", "ENCRYPTED.txt", "__init__.py", "__pycache__"})
_BRANCH = "main"
_ENV_FILE = "clusterenv.yaml"
# A fixed author and moment: apart from the fresh keys, a tree gives the same commit each time.
AUTHOR: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "lab",
    "GIT_AUTHOR_EMAIL": "lab@lab.example",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "lab",
    "GIT_COMMITTER_EMAIL": "lab@lab.example",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


@dataclass(frozen=True, slots=True)
class MaterializedRepository:
    """A Git work tree with a remote, and the key that decrypts it.

    `env` is what git and sops of the run need besides their own: the mapping of `url` to the
    bare repository, and SOPS_AGE_KEY_FILE when the lab made the key.
    """

    path: Path
    remote: Path
    url: str
    branch: str
    commit: str
    age_key_file: Path | None
    env: Mapping[str, str] = field(repr=False)


def find_sample() -> Path:
    """The plain tree that the project ships."""
    return Path(__file__).parent / "sample"


def find_given_key(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variable that holds a key itself, for tools; no file may ever hold it."""
    return {name: environ[name] for name in ("SOPS_AGE_KEY",) if environ.get(name)}


def materialize(source: Path, into: Path, tools: LabTools) -> MaterializedRepository:
    """Make a repository that can be rehearsed, in the folder `into` (made when absent).

    A plain tree is copied to `into/repository` and its key to `into/age.agekey`. A source that
    is a Git work tree stays where it is and is never written: only HEAD's branch is mirrored.

    Raises:
        ToolFailedError: git or sops refused; ToolMissingError: there is none.
        ValueError: the tree declares no Git source.
    """
    into.mkdir(parents=True, exist_ok=True)
    remote = into / "remote.git"
    if (source / ".git").exists():
        return _mirror(source, remote, tools)
    if not (source / ".sops.yaml").is_file():
        message = f"neither a Git repository nor a plain tree with .sops.yaml: `{source}`"
        raise ValueError(message)
    path = into / "repository"
    _copy(source, path)
    key_file = make_age_key(path, into / "age.agekey")
    make_secrets(path)
    encrypt(path, _read_list(source / "ENCRYPTED.txt"), tools)
    url = _find_url(path)
    env = {**_map_url(url, remote), "SOPS_AGE_KEY_FILE": str(key_file)}
    commit = _commit(path, remote, url, tools.with_env(env))
    return MaterializedRepository(path, remote, url, _BRANCH, commit, key_file, env)


def choose_cluster(root: Path, wanted: str) -> str:
    """Return the cluster that is meant: the one named, or the only one.

    Raises:
        ValueError: there is none such, or several.
    """
    names = list_clusters(root)
    if wanted in names:
        return wanted
    if wanted or len(names) != 1:
        raise ValueError(f"cluster not found: `{wanted}` among {', '.join(names) or 'none'}")
    return names[0]


def decrypt_environment(
    made: MaterializedRepository, cluster: str, tools: LabTools
) -> Mapping[str, str]:
    """Decrypt the one file that says where machines are; nothing else is needed in clear.

    Raises:
        ValueError: it does not decrypt; a note of it holds the hint.
    """
    path = f"clusters/{cluster}/{_ENV_FILE}"
    file = made.path / path
    if not file.is_file() or "ENC[" not in file.read_text(encoding="utf-8"):
        return {}
    try:
        return {path: tools.run("sops", "decrypt", str(file))}
    except ToolFailedError as failed:
        key = made.age_key_file or "SOPS_AGE_KEY" * bool(find_given_key(os.environ))
        with_what = f"with the key of {key}" if key else "without an age key"
        refused = ValueError(f"cannot decrypt {with_what}: `{path}`")
        refused.add_note(f"hint: give the key that decrypts it: --age-key FILE; try sops -d {file}")
        raise refused from failed


def _mirror(source: Path, remote: Path, tools: LabTools) -> MaterializedRepository:
    branch = find_branch(source, tools)
    commit = tools.run("git", "rev-parse", "HEAD", cwd=source).strip()
    shutil.rmtree(remote, ignore_errors=True)
    tools.run(
        *("git", "clone", "--quiet", "--bare", "--single-branch", "--branch", branch),
        *(str(source.resolve()), str(remote)),
    )
    key_file = _find_age_key(source)
    env = dict(_map_url(url := _find_url(source), remote))
    if key_file is not None:
        env["SOPS_AGE_KEY_FILE"] = str(key_file)
    return MaterializedRepository(source, remote, url, branch, commit, key_file, env)


def find_branch(source: Path, tools: LabTools) -> str:
    """Return the branch that is checked out.

    Raises:
        ToolFailedError: the folder is no Git work tree any more.
        ValueError: none is; a note of it holds the hint.
    """
    branch = tools.run("git", "rev-parse", "--abbrev-ref", "HEAD", cwd=source).strip()
    if branch == "HEAD":
        detached = ValueError(f"no branch is checked out, so Flux could follow none: `{source}`")
        detached.add_note(f"hint: check one out: git -C {source} switch NAME")
        raise detached
    return branch


def _find_age_key(source: Path) -> Path | None:
    """Find the file of the user's own key: declared, ClusterTool's, or where sops looks last."""
    declared = os.environ.get("SOPS_AGE_KEY_FILE", "")
    if declared or find_given_key(os.environ):
        return Path(declared).resolve() if declared else None
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    for candidate in (source / "age.agekey", Path(config) / "sops" / "age" / "keys.txt"):
        if candidate.is_file():
            return candidate.resolve()
    return None


def _copy(source: Path, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(
        source,
        path,
        ignore=lambda _, names: _LEFT_OUT.intersection(names),
        copy_function=shutil.copyfile,
    )
    # copytree keeps the modes of folders, and a source may be read-only.
    for folder, _, names in os.walk(path):
        Path(folder).chmod(0o755)
        if "dot-gitignore" in names:
            Path(folder, "dot-gitignore").rename(Path(folder, ".gitignore"))


def _read_list(file: Path) -> Sequence[str]:
    return file.read_text().split() if file.exists() else ()


def _find_url(path: Path) -> str:
    """Find the URL of the Git source that the entries sync from."""
    entries = [
        text(entry, "spec", "sourceRef", "name")
        for _, entry in find_documents(path, "Kustomization")
        if text(entry, "apiVersion").startswith("kustomize.toolkit.fluxcd.io/")
        and text(entry, "metadata", "name").startswith("flux-entry")
    ]
    sources = {
        text(source, "metadata", "name"): text(source, "spec", "url")
        for _, source in find_documents(path, "GitRepository")
    }
    for name in (*entries, "cluster", "flux-system", *sources):
        if sources.get(name):
            return sources[name]
    message = f"the tree declares no GitRepository with a URL: `{path}`"
    raise ValueError(message)


def _map_url(url: str, remote: Path) -> Mapping[str, str]:
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote.resolve().as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": url,
    }


def _commit(path: Path, remote: Path, url: str, tools: LabTools) -> str:
    shutil.rmtree(remote, ignore_errors=True)
    git = tools.with_env(AUTHOR)
    git.run("git", "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(remote))
    git.run("git", "init", "--quiet", f"--initial-branch={_BRANCH}", str(path))
    # By force: some owners track a file that their own ignore file names.
    git.run("git", "add", "--all", "--force", cwd=path)
    git.run("git", "commit", "--quiet", "-m", "Begin the rehearsal", cwd=path)
    git.run("git", "remote", "add", "origin", url, cwd=path)
    git.run("git", "push", "--quiet", "--set-upstream", "origin", _BRANCH, cwd=path)
    return git.run("git", "rev-parse", "HEAD", cwd=path).strip()
