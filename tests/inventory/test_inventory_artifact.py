"""What Flux's artifacts leave out of a repository, and what is found where that is live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Inventory, read_repository
from inventory.sourceignore import IgnoreRules, read_patterns
from tests.inventory.inventory_files import SOURCE, base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]
K8S = "clusters/main/kubernetes"


@pytest.mark.parametrize(
    ("patterns", "path", "is_out"),
    [
        ("", "a/x.yaml", False),
        ("", "a/.sops.yaml", True),
        ("", "a/.github/x.yaml", True),
        ("", "a/cloudbuild.yaml", True),
        ("x", "a/.sops.yaml", False),
        ("x", ".git/config", True),
        ("x", ".gitignore", True),
        ("/*\n!/a", "a/b/x.yaml", False),
        ("/*\n!/a", "b/x.yaml", True),
        ("/*\n!/a/b", "a/b/x.yaml", False),
        ("!x.yaml\n*.yaml", "x.yaml", True),
        ("b/", "a/b/x.yaml", True),
        ("b/", "a/b", False),
        ("/b", "a/b", False),
        ("a/b", "a/b/x", True),
        ("a/b", "c/a/b", False),
        ("**/b", "c/a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/c/d/b/x", True),
        ("a/**/b", "a/c/d", False),
        ("a/**", "a/c", True),
        ("/**", "a/c", False),
        ("**", "a/c", True),
        ("a/c**/b", "a/cc/b", False),
        ("a?.yaml", "ab.yaml", True),
        ("[a-c].yaml", "b.yaml", True),
        ("[^a-c].yaml", "b.yaml", False),
        ("[a", "[a", False),
        ("[]a]", "a", False),
        ("\\*.yaml", "a.yaml", False),
        ("\\*.yaml", "*.yaml", True),
        ("a\\", "a", False),
        ("x.yaml  ", "x.yaml", True),
        (" x.yaml", "x.yaml", False),
        ("x.yaml\r", "x.yaml", True),
        ("# x.yaml", "x.yaml", False),
        ("a.b", "acb", False),
    ],
)
def test_patterns_are_those_of_source_controller(patterns: str, path: str, *, is_out: bool) -> None:
    """Not quite Git's: each file alone, the last pattern that fits, defaults only without any."""
    rules = IgnoreRules.of(read_patterns(patterns))

    assert is_out == (rules.find(path, is_folder=False) is not None)


def test_patterns_of_a_folder_count_below_it() -> None:
    """Their domain is the folder of their file."""
    rules = IgnoreRules.of(read_patterns("/x.yaml\ny.yaml", ("a", "b")))
    found = [
        path
        for path in ("x.yaml", "a/b/x.yaml", "a/b/c/x.yaml", "a/b/c/y.yaml", "a/y.yaml")
        if rules.find(path, is_folder=False)
    ]

    assert ["a/b/x.yaml", "a/b/c/y.yaml"] == found


def test_many_stars_take_no_time() -> None:
    """A pattern that backtracks elsewhere is answered."""
    rules = IgnoreRules.of(read_patterns("*a" * 12 + "b"))

    assert rules.find("a" * 120, is_folder=False) is None


def say(inventory: Inventory) -> list[tuple[str, str]]:
    """Place and message of what is not in the artifact."""
    return [
        (str(finding.position), finding.message)
        for finding in inventory.findings
        if finding.id == "not-in-artifact"
    ]


def ignoring(*patterns: str) -> str:
    """The source `cluster` with patterns of its own."""
    lines = "".join(f"    {pattern}\n" for pattern in patterns)
    return SOURCE.replace("spec: {url", "spec:\n  url").replace('git"}', 'git"') + (
        f"  ignore: |\n{lines}"
    )


def test_live_paths_that_are_left_out_are_found(write: Write) -> None:
    """With the place where they are named, and the pattern with its place."""
    files = base(
        **{
            "kustomization.yaml": kustomization(
                "flux-entry.yaml", "source.yaml", "a.yaml", "b.yaml"
            ),
            "a.yaml": ks("a", "./apps/a"),
            "b.yaml": config_map("b"),
            ".sourceignore": "# no b\nb.yaml\n",
        }
    )
    files["apps/a/cm.yaml"] = config_map("a")
    files[f"{K8S}/source.yaml"] = ignoring("/apps")
    inventory = read_repository(write(files), "main")

    ignored = f"is left out of Flux's artifact by `b.yaml` ({K8S}/.sourceignore:2:1)"
    path = f"is left out of Flux's artifact by `/apps` ({K8S}/source.yaml:7:1): `apps/a`"
    assert [
        (f"{K8S}/a.yaml:5:9", f"path of Kustomization `a` {path}"),
        (f"{K8S}/kustomization.yaml:5:5", f"`b.yaml` {ignored}"),
    ] == say(inventory)
    assert "missing-resource" not in {finding.id for finding in inventory.findings}


def test_what_is_left_out_is_not_applied(write: Write) -> None:
    """Where Flux lists a folder itself, what is ignored is dead, and the last pattern counts."""
    files = base(
        **{
            "apps/one.yaml": config_map("one"),
            "apps/two.yaml": config_map("two"),
            "apps/.sops.yaml": config_map("three"),
            "apps/.sourceignore": "*.yaml\n!one.yaml\n",
        }
    )
    files[f"{K8S}/source.yaml"] = ignoring("!.sops.yaml", "flux-entry.yaml")
    inventory = read_repository(write(files), "main")
    maps = {item.name for _, item in inventory.objects() if item.kind == "ConfigMap"}

    assert {"one", "three"} == maps
    assert [] == say(inventory)


def test_defaults_count_without_patterns_only(write: Write) -> None:
    """`.sops.yaml` is no manifest, unless somebody ignores something."""
    files = base(**{"apps/.sops.yaml": config_map("x"), "apps/y.yaml": config_map("y")})
    plain = read_repository(write(files), "main")
    named = {item.name for _, item in plain.objects()}
    files[f"{K8S}/.sourceignore"] = "*.md\n"
    other = {item.name for _, item in read_repository(write(files), "main").objects()}

    assert ("x" in named, "y" in named) == (False, True)
    assert {"x", "y"} <= other


def test_links_are_left_out(write: Write) -> None:
    """source-controller packs none, whatever they lead to."""
    listed = kustomization("flux-entry.yaml", "source.yaml", "link.yaml")
    root = write(base(**{"kustomization.yaml": listed, "real.yaml": config_map("a")}))
    (root / K8S / "link.yaml").symlink_to("real.yaml")

    link = "is or lies behind a symbolic link, which Flux leaves out of its artifact"
    assert [(f"{K8S}/kustomization.yaml:4:5", f"`link.yaml` {link}")] == say(
        read_repository(root, "main")
    )


def test_other_sources_are_packed_by_others(write: Write) -> None:
    """What pushes an OCI artifact decides itself what is in it."""
    files = base(**{"apps/y.yaml": config_map("y"), ".sourceignore": "y.yaml\n"})
    files[f"{K8S}/flux-entry.yaml"] = files[f"{K8S}/flux-entry.yaml"].replace(
        "kind: GitRepository", "kind: OCIRepository"
    )

    assert "y" in {item.name for _, item in read_repository(write(files), "main").objects()}
