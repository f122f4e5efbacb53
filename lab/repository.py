"""Turns a plain tree, or a user's own repository, into what the lab rehearses: Git with a remote.

A plain tree holds every file in clear and names in `ENCRYPTED.txt` the ones that are SOPS files
in life. The lab makes a fresh age key, a fresh deploy key and fresh Talos secrets, encrypts
those files with the real sops, and commits. Beside the work tree lies a bare repository, which
git takes for the declared remote through `url.<base>.insteadOf` in its environment, so that the
addresses in the tree stay as they are.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inventory.reading import list_clusters
from lab.kubernetes.values import Object, at, text
from lab.standins.secrets_bundle import make_talsecret
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
_RECIPIENT = re.compile(r"\b[A-Z]+-AGE-RECIPIENT\b")
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
    key_file = _make_age_key(path, into / "age.agekey")
    _make_secrets(path)
    _encrypt(path, _read_list(source / "ENCRYPTED.txt"), tools)
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


def _make_age_key(path: Path, key_file: Path) -> Path:
    identity = pyrage.x25519.Identity.generate()
    _write_private(key_file, f"{identity}\n")
    rules = path / ".sops.yaml"
    rules.write_text(_RECIPIENT.sub(str(identity.to_public()), rules.read_text()))
    return key_file.resolve()


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content)


def _make_secrets(path: Path) -> None:
    """Replace the stand-ins for keys by usable ones, before sops sees the files."""
    age_key = (path.parent / "age.agekey").read_text()
    for secret in path.glob("clusters/*/talos/generated/talsecret.yaml"):
        secret.write_text(make_talsecret())
    for file, document in _find_documents(path, "Secret"):
        data = at(document, "stringData")
        if "identity" in data:
            document["stringData"] = {**data, **_make_deploy_key(text(data, "known_hosts"))}
        elif "age.agekey" in data:
            document["stringData"] = {**data, "age.agekey": age_key}
        else:
            continue
        file.write_text(yaml.safe_dump(document, sort_keys=False))


def _make_deploy_key(known_hosts: str) -> Object:
    private, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    name = known_hosts.split(" ", 1)[0] or "git.lab.example"
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return {
        "identity": pem.decode(),
        "identity.pub": _format_public_key(private),
        "known_hosts": f"{name} {_format_public_key(host)}",
    }


def _format_public_key(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return public.decode()


def _read_list(file: Path) -> Sequence[str]:
    return file.read_text().split() if file.exists() else ()


def _encrypt(path: Path, names: Sequence[str], tools: LabTools) -> None:
    # One process a file, since sops has no batch mode; two at a time keep both cores busy.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: _encrypt_one(path, name, tools), names))


def _encrypt_one(path: Path, name: str, tools: LabTools) -> None:
    try:
        tools.run("sops", "encrypt", "-i", name, cwd=path)
    except ToolFailedError as failed:
        said = failed.stderr.strip()
        raise ValueError(
            f"cannot be encrypted, though ENCRYPTED.txt names it: `{name}`: {said}"
        ) from failed


def _find_documents(path: Path, kind: str) -> Iterator[tuple[Path, Object]]:
    """Walk over the first document of that kind in each file of the clusters and repositories."""
    for file in sorted([*path.glob("clusters/**/*.yaml"), *path.glob("repositories/**/*.yaml")]):
        content = file.read_text()
        if f"kind: {kind}\n" not in f"{content}\n":
            continue
        for document in yaml.load_all(content, Loader=yaml.CSafeLoader):
            if isinstance(document, dict) and document.get("kind") == kind:
                yield file, document
                break


def _find_url(path: Path) -> str:
    """Find the URL of the Git source that the entries sync from."""
    entries = [
        text(entry, "spec", "sourceRef", "name")
        for _, entry in _find_documents(path, "Kustomization")
        if text(entry, "apiVersion").startswith("kustomize.toolkit.fluxcd.io/")
        and text(entry, "metadata", "name").startswith("flux-entry")
    ]
    sources = {
        text(source, "metadata", "name"): text(source, "spec", "url")
        for _, source in _find_documents(path, "GitRepository")
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
