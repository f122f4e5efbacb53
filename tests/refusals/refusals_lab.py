"""A lab with everything around it in one folder, and the command line as its user types it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lifecycle.cli.lab import StandingLab, find_lab, stop_lab
from lifecycle.engine import RunState
from lifecycle.store import ClusterState, read_last_run

__all__ = ["ROOT", "Place", "RefusalLab", "Said", "finish"]

ROOT = Path(__file__).resolve().parents[2]
SPEED = "200"
_TIMEOUT_S = 300.0
_AUTHOR = ("-c", "user.name=somebody", "-c", "user.email=somebody@lab.example")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The error lines, each with what follows it up to its hint."""
        text = self.stderr[self.stderr.find("error: ") :]
        return text.split("\nhint: ")[0]

    @property
    def hint(self) -> str:
        """The first hint: what repairs it."""
        found = (line for line in self.stderr.splitlines() if line.startswith("hint: "))
        return next(found, "")

    @property
    def output(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class Place:
    """The folders that a command is confined to; caches of charts and tools are the user's."""

    folder: Path

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a command."""
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "XDG_CACHE_HOME", "LANG")
            if name in os.environ
        }
        for name in ("state", "runtime", "tmp", "config"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        own = {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "TMPDIR": str(self.folder / "tmp"),
            "COLUMNS": "200",
            # Nothing is fetched: a proxy that refuses, for the tools that may go out.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
        }
        return kept | own | more

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `invoke` with words, in a checkout as its user has it."""
        return self.start_program(
            str(Path(sys.executable).with_name("invoke")), *words, environ=environ
        )

    def start_program(
        self, *argv: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start any program in the checkout."""
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environ or self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, environ: Mapping[str, str] | None = None) -> Said:
        """Run `invoke` with words to its end."""
        return finish(self.start(*words, environ=environ))


def finish(process: subprocess.Popen[str]) -> Said:
    """Wait for a command and return what it said."""
    try:
        out, err = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"command did not end\n{out}\n{err}")
    return Said(process.returncode, out, err)


@dataclass(slots=True)
class RefusalLab:
    """A standing lab of the sample repository; each test leaves it as it found it."""

    place: Place
    lab: StandingLab = field(init=False)
    _earlier: frozenset[str] = frozenset()  # lines that runs before the present one logged

    @property
    def state(self) -> ClusterState:
        """The state of the sample's rehearsal."""
        return ClusterState(self.place.folder / "state" / "talos-lifecycle" / "lab" / "sample")

    @property
    def repository(self) -> Path:
        """The cluster repository that the lab made."""
        return self.lab.repo

    def up(self) -> None:
        """Start it; the test is skipped where the tools for it are missing."""
        said = self.place.run("lab.up", "--speed", SPEED)
        if "tool is missing" in said.stderr:
            pytest.skip(said.stderr.strip())
        lab = find_lab(self.state)
        assert lab is not None, said.output
        self.lab = lab

    def down(self) -> None:
        """End it."""
        stop_lab(self.state)

    def bootstrap(self, *words: str, environ: Mapping[str, str] | None = None) -> Said:
        """Bootstrap the sample in it."""
        return self.place.run("bootstrap", "--lab", "--yes", *words, environ=environ)

    def start_bootstrap(self, *words: str) -> subprocess.Popen[str]:
        """Begin to bootstrap, without waiting for the end."""
        self._earlier = frozenset(self._read_log())
        return self.place.start("bootstrap", "--lab", "--yes", *words)

    def refuse(self, *words: str, environ: Mapping[str, str] | None = None) -> Said:
        """Bootstrap, and check what holds for every refusal; see `check_refusal`."""
        return self.check_refusal(lambda: self.bootstrap(*words, environ=environ))

    def check_refusal(self, command: Callable[[], Said]) -> Said:
        """Run a command, and check what holds for every refusal: nothing has changed anywhere.

        Returns:
            What was said; its text holds no traceback, and it has a hint.
        """
        acts, tree = self.acts(), digest(self.repository)
        said = command()

        assert said.code, said.output
        assert acts == self.acts()
        assert tree == digest(self.repository)
        assert not self.state.kubeconfig.exists()
        assert "Traceback" not in said.output
        assert "error: " in said.stderr
        assert said.hint, said.stderr
        return said

    def last_run(self) -> tuple[RunState, str]:
        """Return how the journal says that the last run ended, and its message."""
        run = read_last_run(self.state.journal)
        assert run is not None
        return run.state, run.message

    def acts(self) -> Mapping[str, int]:
        """Ask the lab how often each act happened."""
        acts = self.ask({"do": "ledger"})["acts"]
        assert isinstance(acts, dict)
        return acts

    def acts_of_machines(self) -> Mapping[str, int]:
        """Return the acts that change machines or begin something; Flux goes on with its own."""
        kinds = ("etcd.", "machine.", "kubernetes.", "rpc.")
        return {name: count for name, count in self.acts().items() if name.startswith(kinds)}

    def wait_for_line(self, process: subprocess.Popen[str], *texts: str) -> None:
        """Wait until the run that was begun last has logged a line with all the texts."""
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            lines = set(self._read_log()) - self._earlier
            if any(all(text in line for text in texts) for line in lines):
                return
            time.sleep(0.01)
        process.kill()
        pytest.fail(f"`{texts}` is in no line of the log: {process.communicate()}")

    def _read_log(self) -> Iterator[str]:
        for log in self.state.runs.glob("*.jsonl"):
            yield from log.read_text(encoding="utf-8").splitlines()

    def ask(self, question: Mapping[str, object]) -> Mapping[str, object]:
        """Ask the lab's control socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.lab.control))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile(encoding="utf-8") as answers:
                answer: Mapping[str, object] = json.loads(answers.readline())
        return answer

    @contextmanager
    def fault(self, name: str, target: str) -> Iterator[None]:
        """Make something go wrong for a while."""
        fault = f"{name}:{target}"
        with self._rebooting(target, is_waited_for=name == "foreign-cluster"):
            assert self.ask({"do": "set-fault", "fault": fault}) == {"ok": True}
        try:
            yield
        finally:
            with self._rebooting(target, is_waited_for=name == "foreign-cluster"):
                assert self.ask({"do": "clear-fault", "fault": fault}) == {"cleared": 1}

    @contextmanager
    def _rebooting(self, machine: str, *, is_waited_for: bool) -> Iterator[None]:
        """Wait for the reboot that something takes, since the lab counts that."""
        reboot = f"machine.reboot/{machine}"
        wanted = self.acts().get(reboot, 0) + is_waited_for
        yield
        deadline = time.monotonic() + _TIMEOUT_S
        while self.acts().get(reboot, 0) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)

    @contextmanager
    def changed_file(self, path: str, content: str, *, push: bool = True) -> Iterator[None]:
        """Change a file of the repository, commit it, and push it."""
        with self.put_back():
            (self.repository / path).write_text(content, encoding="utf-8")
            self.git("add", "--all")
            self.git(*_AUTHOR, "commit", "--quiet", "--message", "Change something")
            if push:
                self.git("push", "--quiet", "origin", "HEAD")
            yield

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """Put work tree and remote back at the end."""
        commit = self.git("rev-parse", "HEAD").strip()
        try:
            yield
        finally:
            self.git("reset", "--quiet", "--hard", commit)
            self.git("clean", "--quiet", "-fd")
            self.git("push", "--quiet", "--force", "origin", "HEAD")

    def git(self, *words: str) -> str:
        """Run git in the repository, which finds the lab's remote."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.repository,
            env={**os.environ, **self.lab.env},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def read(self, path: str) -> str:
        """Return a file of the repository."""
        return (self.repository / path).read_text(encoding="utf-8")

    @contextmanager
    def listener_on(self, declared: str, port: int) -> Iterator[None]:
        """Let something strange listen on an address of the lab."""
        with socket.create_server((self.lab.addresses[declared], port)):
            yield


def digest(folder: Path) -> Mapping[str, str]:
    """Return the digest of every file below a folder, Git's own included."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
