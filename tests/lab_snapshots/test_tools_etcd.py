"""Snapshots judged by etcd's own tools: etcdutl describes and restores, etcd serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from lab.snapshots import Contents, Member, StoredKey, read_status, take_snapshot
from tests.real_programs import HOST, find_ports, run_program

pytestmark = pytest.mark.tools

_KEYS = tuple(
    StoredKey(f"/registry/configmaps/default/c{at:04}", b"v" * (at % 9000), at + 10)
    for at in range(700)
)
_MEMBERS = (Member(0x8E9E05C52164694D, "cp1", "https://10.0.0.1:2380", "https://10.0.0.1:2379"),)
_PATIENCE_S = 20.0


def _find(tool: str) -> str:
    return shutil.which(tool) or pytest.skip(f"no {tool} on PATH")


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot file of several megabytes."""
    path = tmp_path / "etcd.snapshot"
    path.write_bytes(take_snapshot(Contents(_KEYS, _MEMBERS, 4711, 3)))
    return path


def test_etcdutl_says_what_we_say(snapshot: Path) -> None:
    """Hash, revision, keys and size are those that etcdutl computes, after its own checks."""
    said = json.loads(_run(_find("etcdutl"), "snapshot", "status", str(snapshot), "-w", "json"))
    ours = read_status(snapshot.read_bytes())

    assert (said["hash"], said["revision"]) == (ours.hash, ours.revision)
    assert (said["totalKey"], said["totalSize"]) == (ours.total_keys, ours.total_size)
    assert said["version"] == "3.6.0"


def test_etcd_serves_what_was_written(snapshot: Path, tmp_path: Path) -> None:
    """A real etcd that begins with the restored file holds every key at its revision."""
    etcd, etcdctl = _find("etcd"), _find("etcdctl")
    data = tmp_path / "data"
    _run(_find("etcdutl"), "snapshot", "restore", str(snapshot), "--data-dir", str(data))
    client, peer = (f"http://{HOST}:{port}" for port in find_ports(2))
    urls = ("--listen-client-urls", client, "--advertise-client-urls", client)
    command = [etcd, "--data-dir", str(data), *urls, "--listen-peer-urls", peer]
    with run_program(tmp_path, command, os.environ):
        _wait_healthy(etcdctl, client)
        listed = _run(etcdctl, "--endpoints", client, "get", "--prefix", "/registry", "--keys-only")
        one = _run(etcdctl, "--endpoints", client, "get", _KEYS[600].key, "-w", "json")

    assert listed.split() == [key.key for key in _KEYS]
    assert json.loads(one)["kvs"][0]["mod_revision"] == _KEYS[600].revision


def _wait_healthy(etcdctl: str, endpoint: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    command = [etcdctl, "--endpoints", endpoint, "endpoint", "health"]
    while subprocess.run(command, capture_output=True, check=False, timeout=30).returncode:
        assert time.monotonic() < deadline, "etcd never became healthy"
