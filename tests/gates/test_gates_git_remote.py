"""What the gate of the pushed commit says of a Git host: one that speaks SSH, and one over HTTP."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import asyncssh
import pytest
import yaml
from aiohttp import web

from inventory import read_repository
from lab.repository import AUTHOR, find_sample
from lifecycle.drivers.git import Git
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.gates.git_remote import CommitIsPushed
from lifecycle.secrets import Redactor
from lifecycle.world import World
from lifecycle.world.source_credentials import SourceCredentials

HOST = "127.0.0.1"
SECRET = "clusters/main/kubernetes/flux-system/flux/deploykey.secret.yaml"
TOKEN = "token-of-the-deploy-user"

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh")


def git(folder: Path, *words: str) -> str:
    """Run git for a test's preparation."""
    environment = {**os.environ, **AUTHOR, "GIT_CONFIG_GLOBAL": os.devnull}
    argv = ["git", "-C", str(folder), *words]
    done = subprocess.run(argv, env=environment, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@dataclass
class Site:
    """An operator's clone of the sample, whose remote is `url`; nothing of the user's is used."""

    folder: Path
    url: str
    secret: Mapping[str, str]
    commit: str = ""

    def __post_init__(self) -> None:
        """Write the tree, commit it, and keep a bare copy at `folder/remote.git`."""
        tree = self.folder / "tree"
        shutil.copytree(find_sample(), tree, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        source = tree / "repositories/git/this-repo.yaml"
        source.write_text(
            source.read_text().replace("ssh://git@git.lab.example/sample.git", self.url)
        )
        document = yaml.safe_load((tree / SECRET).read_text())
        (tree / SECRET).write_text(yaml.safe_dump({**document, "stringData": dict(self.secret)}))
        git(self.folder, "init", "-q", "--initial-branch=main", "tree")
        git(tree, "add", "--all")
        git(tree, "commit", "-q", "-m", "a")
        git(self.folder, "clone", "-q", "--bare", "tree", "remote.git")
        self.commit = git(tree, "rev-parse", "HEAD")

    async def ask(self) -> Answer:
        """Probe the gate, with a home in which there is no key and no known host."""
        tree, home = self.folder / "tree", self.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {"PATH": os.environ["PATH"], "HOME": str(home)}
        runner = ProcessRunner(Environment(variables), redactor=Redactor())
        inventory = read_repository(tree, "main", {})
        world = SimpleNamespace(
            git=Git("git", runner, tree),
            repository=SimpleNamespace(commit=self.commit),
            inventory=inventory,
            credentials=SourceCredentials(inventory, self.folder / "private"),
        )
        return await CommitIsPushed(cast("World", world)).probe()


def make_key() -> asyncssh.SSHKey:
    """Make a key."""
    return asyncssh.generate_private_key("ssh-ed25519")


def private(key: asyncssh.SSHKey) -> str:
    """Write a key as `ssh-keygen` does."""
    return key.export_private_key("openssh").decode()


def public(key: asyncssh.SSHKey) -> str:
    """Write a key's public half."""
    return key.export_public_key("openssh").decode().strip()


async def _pass_on(client: asyncssh.SSHReader[bytes], program: asyncio.StreamWriter) -> None:
    while said := await client.read(65536):
        program.write(said)
    program.close()


@asynccontextmanager
async def serve_ssh(
    folder: Path, allowed: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> AsyncIterator[int]:
    """Serve `folder/remote.git` to whoever has the key; yields the port."""

    async def upload(process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        argv = ("git", "upload-pack", str(folder / "remote.git"))
        served = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
        assert served.stdin
        assert served.stdout
        asked = asyncio.create_task(_pass_on(process.stdin, served.stdin))
        while told := await served.stdout.read(65536):
            process.stdout.write(told)
        await asked
        process.exit(await served.wait())

    listener = await asyncssh.listen(
        HOST,
        0,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(public(allowed)),
        process_factory=upload,
        encoding=None,
    )
    try:
        yield listener.get_port()
    finally:
        listener.close()
        await listener.wait_closed()


@asynccontextmanager
async def serve_http(folder: Path, authorization: str) -> AsyncIterator[int]:
    """Serve `folder/remote.git` as files (git's dumb protocol) to whoever has the credential."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") != authorization:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        file = folder / "remote.git" / request.path.removeprefix("/sample.git/")
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@needs_ssh
async def test_remote_is_asked_with_the_deploy_key_that_flux_will_use(tmp_path: Path) -> None:
    """The operator of this machine has neither a key nor a known host, and needs none."""
    key, host_key = make_key(), make_key()
    async with serve_ssh(tmp_path, key, host_key) as port:
        secret = {
            "identity": private(key).rstrip(),
            "known_hosts": f"[{HOST}]:{port} {public(host_key)}",
        }
        answer = await Site(tmp_path, f"ssh://git@{HOST}:{port}/sample.git", secret).ask()

    assert isinstance(answer, Satisfied)


@needs_ssh
async def test_deploy_key_that_the_host_refuses_names_its_secret(tmp_path: Path) -> None:
    """Flux would find that out on a cluster that is half made."""
    host_key = make_key()
    async with serve_ssh(tmp_path, make_key(), host_key) as port:
        secret = {
            "identity": private(make_key()),
            "known_hosts": f"[{HOST}]:{port} {public(host_key)}",
        }
        answer = await Site(tmp_path, f"ssh://git@{HOST}:{port}/sample.git", secret).ask()

    assert isinstance(answer, Blocked)
    assert answer.reason.startswith(
        f"{SECRET}:1:1: {HOST} refuses the credential of Secret `flux-system/deploy-key`, so Flux "
        "could not read source `cluster`: git@127.0.0.1: Permission denied (publickey)"
    )
    assert "deploy keys of the repository" in answer.hint


@needs_ssh
async def test_host_that_known_hosts_does_not_hold_names_the_secret(tmp_path: Path) -> None:
    """ClusterTool writes the host key of one well-known host for every host."""
    key = make_key()
    async with serve_ssh(tmp_path, key, make_key()) as port:
        secret = {"identity": private(key), "known_hosts": f"github.com {public(make_key())}"}
        answer = await Site(tmp_path, f"ssh://git@{HOST}:{port}/sample.git", secret).ask()

    assert isinstance(answer, Blocked)
    assert answer.reason.startswith(
        f"{SECRET}:1:1: known_hosts of Secret `flux-system/deploy-key` does not hold the key of "
        f"{HOST}, so Flux could not read source `cluster`: "
    )
    assert answer.hint.endswith(f"ssh-keyscan -p {port} {HOST}")


@pytest.mark.parametrize(
    ("secret", "authorization"),
    [
        ({"username": "git", "password": TOKEN}, f"git:{TOKEN}"),
        ({"bearerToken": TOKEN}, ""),
    ],
)
async def test_remote_over_http_is_asked_with_the_token_that_flux_will_use(
    tmp_path: Path, secret: Mapping[str, str], authorization: str
) -> None:
    """Neither a credential helper nor a prompt takes part."""
    basic = base64.b64encode(authorization.encode()).decode()
    wanted = f"Basic {basic}" if authorization else f"Bearer {TOKEN}"
    async with serve_http(tmp_path, wanted) as port:
        site = Site(tmp_path, f"http://{HOST}:{port}/sample.git", secret)
        git(tmp_path / "remote.git", "update-server-info")
        answer = await site.ask()

    assert isinstance(answer, Satisfied)


async def test_token_that_the_host_refuses_names_its_secret(tmp_path: Path) -> None:
    """The repair is a new token, in that Secret."""
    async with serve_http(tmp_path, "Basic of-somebody-else") as port:
        secret = {"username": "git", "password": TOKEN}
        site = Site(tmp_path, f"http://{HOST}:{port}/sample.git", secret)
        answer = await site.ask()

    assert isinstance(answer, Blocked)
    assert answer.reason.startswith(
        f"{SECRET}:1:1: {HOST} refuses the credential of Secret `flux-system/deploy-key`"
    )
    assert answer.hint == "renew the token at the host, and put it there"


async def test_remote_that_nobody_serves_is_no_fault_of_the_credential(tmp_path: Path) -> None:
    """What git says of the user's own try is told."""
    secret = {"username": "git", "password": TOKEN}
    answer = await Site(tmp_path, f"http://{HOST}:1/sample.git", secret).ask()

    assert isinstance(answer, Blocked)
    assert "Git remote of source `cluster` does not answer: fatal: unable to access" in (
        answer.reason
    )
