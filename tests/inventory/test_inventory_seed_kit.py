"""The seed kit: what a rebuild needs, and where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from inventory.seed_kit import Place, list_seed_kit
from tests.inventory.inventory_files import SOURCE, base, kustomization

Write = Callable[[Mapping[str, str]], Path]
REPOSITORIES = Path(__file__).parents[3] / "shared" / "data" / "repos"


def test_empty_repository_lacks_everything(tmp_path: Path) -> None:
    """Nothing that a rebuild needs is in an empty folder."""
    kit = list_seed_kit(tmp_path, read_repository(tmp_path, "main"))

    assert {Place.MISSING} == {item.place for item in kit}


def test_talos_secrets_are_asked_for(write: Write) -> None:
    """A Talos cluster without its secrets cannot be rebuilt as the same cluster."""
    root = write(
        {
            "clusters/main/talos/talconfig.yaml": "patches: ['@./a.yaml', '@./b.yaml']\n",
            "clusters/main/talos/b.yaml": "machine: {}\n",
            ".sops.yaml": "creation_rules: []\n",
        }
    )
    kit = {item.name: item.place for item in list_seed_kit(root, read_repository(root, "main"))}

    assert {
        "age key": Place.OUTSIDE,
        "Talos secrets": Place.MISSING,
        "patch a.yaml": Place.OUTSIDE,
        "patch b.yaml": Place.IN_GIT,
        "application data": Place.MISSING,
        "etcd snapshot": Place.MISSING,
    } == kit


@pytest.mark.skipif(not REPOSITORIES.is_dir(), reason="the shared test data is absent")
def test_real_repository_is_listed() -> None:
    """A real repository has its secrets in Git, its key and charts elsewhere."""
    root = REPOSITORIES / "nomenator"
    kit = {item.name: item.place for item in list_seed_kit(root, read_repository(root, "main"))}

    assert Place.IN_GIT is kit["Talos secrets"]
    assert Place.OUTSIDE is kit["age key"]
    assert Place.IN_GIT is kit["deploy key deploy-key"]
    assert Place.MISSING is kit["chart of tuppr"]
    assert Place.OUTSIDE is kit["patch all.yaml"]
    assert Place.OUTSIDE is kit["Git remote git.lab.example"]
    assert Place.OUTSIDE is kit["charts and images of ghcr.io"]
    assert Place.OUTSIDE is kit["application data"]


def test_sources_are_told_apart_and_every_backup_counts(write: Write) -> None:
    """A Git remote holds no charts, whatever form its URL has; plain ReplicationSources count."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "backup.yaml"),
            "source.yaml": SOURCE.replace("ssh://git@git.lab.example/x", "git@git.lab.example:x"),
            "backup.yaml": "apiVersion: volsync.backube/v1alpha1\nkind: ReplicationSource\n"
            "metadata: {name: a, namespace: b}\n",
        }
    )
    root = write(files)
    kit = {item.name: item.place for item in list_seed_kit(root, read_repository(root, "main"))}

    assert Place.OUTSIDE is kit["Git remote git.lab.example"]
    assert Place.OUTSIDE is kit["application data"]
