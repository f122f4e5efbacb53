"""The engine that CI brings itself: found, started, or missing with a reason."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ci import engine
from tests.containers.containers_network import make_network


def test_engine_that_answers_is_taken(tmp_path: Path) -> None:
    """Nothing is started where something answers a ping."""
    address = f"unix://{tmp_path}/sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
        server.listen()
        answering = threading.Thread(target=_answer_once, args=(server,))
        answering.start()
        found = engine.start(tmp_path / "own", {"DOCKER_HOST": address})
        answering.join()

    assert address == found
    assert not (tmp_path / "own").exists()


def test_daemon_that_ends_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that cannot run here says why in its last line."""
    daemon = tmp_path / "dockerd"
    daemon.write_text("#!/bin/sh\necho starting\necho no cgroups here\nexit 1\n")
    daemon.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(engine.EngineError, match="does not start: no cgroups here"):
        engine.start(tmp_path / "own", {"DOCKER_HOST": f"unix://{tmp_path}/none"})


def test_machine_without_a_daemon_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not install anything is told so, and nothing is tried."""
    monkeypatch.setattr(engine, "_find_daemon", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(engine.EngineError, match="takes root and apt-get"):
        engine.start(tmp_path / "own", {"DOCKER_HOST": f"unix://{tmp_path}/none"})


def test_no_engine_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends well and says why, so that CI goes on and its tests skip."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    monkeypatch.setattr(engine, "_find_daemon", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code = engine.main(["start", str(tmp_path / "own")])
    engine.main(["stop", str(tmp_path / "own")])
    said = capsys.readouterr()

    assert (0, "") == (code, said.out)
    assert said.err.startswith("no Docker engine: there is no dockerd")


def test_user_without_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of containers skip with what they lack."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(pytest.skip.Exception, match="takes root"):
        make_network()


def _answer_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nOK")
