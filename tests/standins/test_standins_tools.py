"""The stand-ins against the real tools, where those are on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.standins.install import is_standin
from lab.standins.machineconfig.substitution import read_clusterenv
from lab.standins.secrets_bundle import parse_bundle
from tests.standins.standins_process import Run

pytestmark = pytest.mark.tools

_FLUX_KINDS = frozenset({"Namespace", "ServiceAccount", "Service", "Deployment"})


def _find(tool: str) -> str:
    path = shutil.which(tool)
    if path is None or is_standin(Path(path)):
        pytest.skip(f"no real {tool} on PATH")
    return path


def _call(*argv: str, cwd: Path, code: int = 0) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run(
        argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert code == done.returncode, done.stderr
    return done.stdout


def _shape(value: object) -> object:
    """Keys of mappings, in order, without the values."""
    return {key: _shape(item) for key, item in value.items()} if isinstance(value, dict) else None


@pytest.fixture
def generated(cluster_repository: Path, run: Run) -> Path:
    """The talos folder after `init` and `genconfig`."""
    run("clustertool", "init", cwd=cluster_repository)
    run("clustertool", "genconfig", cwd=cluster_repository)
    return cluster_repository / "clusters/main/talos"


def test_secrets_have_the_shape_of_the_real_ones(run: Run, tmp_path: Path) -> None:
    """Same keys in the same order; the real bundle parses here."""
    real = _call(_find("talosctl"), "gen", "secrets", "-o", "-", cwd=tmp_path)
    ours = run("talosctl", "gen", "secrets", "-o", "-").stdout

    assert _shape(yaml.safe_load(real)) == _shape(yaml.safe_load(ours))
    assert parse_bundle(real).os.key.startswith(b"-----BEGIN ED25519 PRIVATE KEY-----")


@pytest.mark.parametrize("name", ["main-cp-1.yaml", "main-worker-1.yaml"])
def test_the_real_talosctl_accepts_generated_configs(generated: Path, name: str) -> None:
    """`validate --strict` finds nothing."""
    path = generated / "generated" / name
    said = _call(
        _find("talosctl"), "validate", "-m", "metal", "--strict", "-c", str(path), cwd=generated
    )

    assert f"{path} is valid for metal mode\n" == said


def test_configs_equal_those_of_the_real_talhelper(generated: Path, tmp_path: Path) -> None:
    """The same documents, whatever the order of keys; certificates come from one talsecret."""
    talhelper = _find("talhelper")
    clusterenv = (generated.parent / "clusterenv.yaml").read_text()
    variables = tmp_path / "variables.yaml"
    variables.write_text(yaml.safe_dump(read_clusterenv(clusterenv, "main")))
    words = ["-c", "talconfig.yaml", "-e", str(variables), "-s", "generated/talsecret.yaml"]
    out = tmp_path / "real"
    _call(talhelper, "genconfig", *words, "-o", str(out), "--offline-mode", cwd=generated)

    assert dict(_load_configs(out)) == dict(_load_configs(generated / "generated"))


def _load_configs(folder: Path) -> Iterator[tuple[str, list[object]]]:
    for path in sorted(folder.glob("main-*.yaml")):
        yield path.name, list(yaml.safe_load_all(path.read_text()))


def test_flux_exports_the_same_objects(run: Run, tmp_path: Path) -> None:
    """Namespace, accounts, services, controllers and kinds have the real names and versions."""
    real = list(yaml.safe_load_all(_call(_find("flux"), "install", "--export", cwd=tmp_path)))
    ours = list(yaml.safe_load_all(run("flux", "install", "--export").stdout))

    assert set(_identify(real)) == set(_identify(ours))


def _identify(objects: list[dict[str, dict[str, list[dict[str, str]]]]]) -> Iterator[object]:
    for item in objects:
        name = item["metadata"]["name"]
        if str(item["kind"]) == "CustomResourceDefinition":
            yield name, tuple(version["name"] for version in item["spec"]["versions"])
        elif str(item["kind"]) in _FLUX_KINDS:
            yield str(item["kind"]), name
