"""ClusterTool's stand-in: machine configs of a repository, and why there are none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from tests.standins.standins_process import Run

_GENERATED = Path("clusters/main/talos/generated")


@pytest.fixture
def initialised(cluster_repository: Path, run: Run) -> Path:
    """The repository after `clustertool init`."""
    said = run("clustertool", "init", cwd=cluster_repository)
    assert "Init: Completed Successfully!" in said.stdout
    return cluster_repository


def _load(root: Path, name: str) -> list[dict[str, dict[str, object]]]:
    return list(yaml.safe_load_all((root / _GENERATED / name).read_text()))


def _dig(value: object, *path: str) -> object:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def test_genconfig_writes_a_config_for_each_node_and_a_talosconfig(
    initialised: Path, run: Run
) -> None:
    """All files are named after cluster and host, and nobody else may read them."""
    said = run("clustertool", "--cluster", "main", "genconfig", cwd=initialised)
    names = ["main-cp-1.yaml", "main-worker-1.yaml", "talosconfig"]
    modes = {stat.S_IMODE((initialised / _GENERATED / name).stat().st_mode) for name in names}

    assert (
        "generated config for cp-1 in clusters/main/talos/generated/main-cp-1.yaml" in said.stdout
    )
    assert "GenConfig: Completed Successfully!" in said.stdout
    assert {0o600} == modes


def test_a_control_plane_config_carries_network_documents_and_patches(
    initialised: Path, run: Run
) -> None:
    """Since Talos 1.12 hostname, VIP and addresses are documents of their own."""
    run("clustertool", "genconfig", cwd=initialised)
    documents = _load(initialised, "main-cp-1.yaml")
    main, others = documents[0], {str(item.get("kind")): item for item in documents[1:]}

    assert "controlplane" == _dig(main, "machine", "type")
    assert "true" == _dig(main, "machine", "kubelet", "extraArgs", "rotate-server-certificates")
    assert _dig(main, "cluster", "proxy", "disabled") is True
    assert {"name": "none"} == _dig(main, "cluster", "network", "cni")
    assert "cp-1" == _dig(others, "HostnameConfig", "hostname")
    assert ("10.55.0.5", "eth0") == (
        _dig(others, "Layer2VIPConfig", "name"),
        _dig(others, "Layer2VIPConfig", "link"),
    )
    assert [{"address": "10.55.0.11/24"}] == _dig(others, "LinkConfig", "addresses")


def test_a_worker_config_carries_no_keys_and_its_own_patch(initialised: Path, run: Run) -> None:
    """A worker gets certificates without keys; numbers of sysctls become text."""
    run("clustertool", "genconfig", cwd=initialised)
    main = _load(initialised, "main-worker-1.yaml")[0]

    assert "" == _dig(main, "machine", "ca", "key")
    assert _dig(main, "cluster", "etcd") is None
    assert "lemnos" == _dig(main, "machine", "nodeLabels", "zone")
    # Global patches come after the node's own, so theirs stays where both name a key.
    assert "1024" == _dig(main, "machine", "sysctls", "vm.nr_hugepages")


def test_a_second_run_keeps_the_secrets(initialised: Path, run: Run) -> None:
    """Machine configs are equal byte by byte; the cluster's identity is in talsecret.yaml."""
    run("clustertool", "genconfig", cwd=initialised)
    first = (initialised / _GENERATED / "main-cp-1.yaml").read_bytes()
    run("clustertool", "genconfig", cwd=initialised)

    assert first == (initialised / _GENERATED / "main-cp-1.yaml").read_bytes()


def test_genconfig_fails_without_the_patches_that_init_writes(
    cluster_repository: Path, run: Run
) -> None:
    """A fresh clone has no patches/all.yaml: the real tool stops there, and so does this one."""
    said = run("clustertool", "genconfig", cwd=cluster_repository)

    assert 1 == said.code
    assert "failed to generate talos config: open " in said.stdout
    assert "patches/controlplane.yaml: no such file or directory" in said.stdout


def test_a_variable_that_is_not_set_is_named(initialised: Path, run: Run) -> None:
    """The text is envsubst's; variables in comments do not count."""
    path = initialised / "clusters/main/talos/talconfig.yaml"
    path.write_text(path.read_text().replace("${MASTER1IP_IP}", "${MASTER9IP_IP}"))
    said = run("clustertool", "genconfig", cwd=initialised)

    assert 1 == said.code
    assert 'error="failed to substitute env: variable ${MASTER9IP_IP} not set"' in said.stdout


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("synthetic-crt", "illegal base64 data at input byte 9"),
        ("c3ludGhldGlj", "failed to parse PEM block"),
    ],
)
def test_unusable_secrets_are_refused(initialised: Path, run: Run, value: str, text: str) -> None:
    """Values that are no certificates end genconfig in the words of the real tool."""
    talsecret = initialised / _GENERATED / "talsecret.yaml"
    talsecret.parent.mkdir()
    pair = {"crt": value, "key": value}
    certs = dict.fromkeys(("etcd", "k8s", "k8saggregator", "k8sserviceaccount", "os"), pair)
    talsecret.write_text(yaml.safe_dump({"certs": certs}))
    said = run("clustertool", "genconfig", cwd=initialised)

    assert 1 == said.code
    assert f"failed to generate talos config: {text}" in said.stdout


def test_a_control_plane_address_inside_the_pool_is_refused(initialised: Path, run: Run) -> None:
    """ClusterTool's own checks of clusterenv.yaml come before anything is generated."""
    path = initialised / "clusters/main/clusterenv.yaml"
    path.write_text(path.read_text().replace("VIP: 10.55.0.5", "VIP: 10.55.0.140"))
    said = run("clustertool", "genconfig", cwd=initialised)

    assert 1 == said.code
    assert "Cannot proceed, VIP cannot be in the METALLB_RANGE" in said.stdout
