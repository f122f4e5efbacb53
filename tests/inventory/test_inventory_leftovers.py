"""Findings about files that another tool renamed and did not rename back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Severity, read_repository
from tests.inventory.inventory_files import base, config_map, kustomization

Write = Callable[[Mapping[str, str]], Path]

INSTALL = kustomization("github.com/fluxcd/flux2/manifests/install?ref=v2.7.5")
TRUE = kustomization("a.yaml")


def found(write: Write, files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return place and message of what is half renamed in the folder `flux`."""
    made = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "flux"),
            "flux/a.yaml": config_map("a"),
            **{f"flux/{name}": text for name, text in files.items()},
        }
    )
    findings = read_repository(write(made), "main").findings
    return [(str(f.position), f.message) for f in findings if f.id == "half-renamed-file"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"placeholder": TRUE, "bootstrap.yaml.ct": INSTALL}, "nothing is in its place"),
        ({"placeholder": TRUE, "kustomization.yaml": INSTALL}, "the true one is still called"),
        (
            {"placeholder": TRUE, "kustomization.yaml": TRUE, "bootstrap.yaml.ct": INSTALL},
            "left behind",
        ),
    ],
)
def test_each_stop_of_the_renaming_is_found(
    write: Write, files: Mapping[str, str], words: str
) -> None:
    """Wherever ClusterTool was interrupted, the finding says which file is which."""
    [(place, message)] = found(write, files)

    assert place == "clusters/main/kubernetes/flux/placeholder:1:1"
    assert words in message


def test_overwritten_kustomization_is_found(write: Write) -> None:
    """Without a placeholder, the true file is gone; its place is the line that tells."""
    [(place, message)] = found(write, {"kustomization.yaml": INSTALL, "bootstrap.yaml.ct": INSTALL})

    assert place == "clusters/main/kubernetes/flux/kustomization.yaml:2:1"
    assert "its own is gone" in message


def test_leftover_that_changes_nothing_is_a_warning(write: Write) -> None:
    """All three files are there and hold what their names say."""
    names = {"placeholder": TRUE, "kustomization.yaml": TRUE, "bootstrap.yaml.ct": INSTALL}
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "flux"),
            "flux/a.yaml": config_map("a"),
            **{f"flux/{name}": text for name, text in names.items()},
        }
    )
    findings = read_repository(write(files), "main").findings

    assert [Severity.WARNING] == [f.severity for f in findings if f.id == "half-renamed-file"]


def test_other_placeholders_are_left_alone(write: Write) -> None:
    """A file that only keeps a folder in Git is no kustomization."""
    files = {"placeholder": "", "kustomization.yaml": TRUE, "bootstrap.yaml.ct": INSTALL}

    assert [] == found(write, files)
