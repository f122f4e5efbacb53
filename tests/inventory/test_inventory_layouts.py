"""Layouts that real repositories have, in small."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from inventory import list_clusters, read_repository
from tests.inventory.inventory_files import ENTRY, SOURCE, base, config_map, ids, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]


def test_entry_is_found_by_what_its_path_contains(write: Write) -> None:
    """An entry needs no fixed name or file: its path contains its own file."""
    root = write(
        {
            "clusters/main/gotk/sync.yaml": ks("flux-system", "./clusters/main"),
            "clusters/main/gotk/source.yaml": SOURCE,
            "clusters/main/apps/a/ks.yaml": ks("a", "./apps/a"),
            "apps/a/cm.yaml": config_map("a"),
        }
    )
    inventory = read_repository(root, "main")

    assert [("flux-system", True)] == [(e.name, e.is_self_applied) for e in inventory.entries]
    assert [("apps", ("a",))] == [(x.name, x.components) for x in inventory.layers if x.components]
    assert ["ConfigMap/a"] == [str(item) for item in inventory.component("a").objects]


def test_entry_is_found_through_a_flux_instance(write: Write) -> None:
    """A FluxInstance's sync is an entry, which reaches the real one elsewhere."""
    root = write(
        {
            "clusters/main/flux/instance.yaml": (
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
                "metadata: {name: flux-instance, namespace: flux-system}\n"
                "spec: {values: {instance: {sync: {name: cluster, path: clusters/main/entry}}}}\n"
            ),
            "clusters/main/entry/ks.yaml": ENTRY,
            "clusters/main/kubernetes/apps/cm.yaml": config_map("a"),
            "clusters/main/kubernetes/kustomization.yaml": kustomization("apps/cm.yaml"),
        }
    )
    inventory = read_repository(root, "main")
    entries = {entry.name: entry for entry in inventory.entries}

    assert {"cluster", "flux-entry"} == set(entries)
    assert entries["cluster"].is_synthetic
    assert entries["flux-entry"].is_self_applied
    assert ["apps"] == [layer.name for layer in inventory.layers if layer.objects]


def test_kustomizations_may_hold_kustomizations_and_themselves(write: Write) -> None:
    """A layer that is itself a Kustomization and lists its own file is followed once."""
    root = write(
        base(
            **{
                "kustomization.yaml": kustomization(
                    "flux-entry.yaml", "source.yaml", "media/ks.yaml"
                ),
                "media/ks.yaml": ks("media", "clusters/main/kubernetes/media"),
                "media/kustomization.yaml": kustomization("ks.yaml", "plex.yaml"),
                "media/plex.yaml": ks("plex", "clusters/main/kubernetes/media/plex"),
                "media/plex/cm.yaml": config_map("plex"),
            }
        )
    )
    inventory = read_repository(root, "main")

    assert [("media", "flux-entry"), ("plex", "media")] == [
        (component.name, component.parent) for component in inventory.components
    ]
    assert [("media", ("media", "plex"))] == [(x.name, x.components) for x in inventory.layers]
    assert ids(inventory) == set()


def test_foreign_sources_are_opaque(write: Write) -> None:
    """A path in another source is not looked for here."""
    root = write(
        base(
            **{
                "kustomization.yaml": kustomization("source.yaml", "other.yaml", "x/ks.yaml"),
                "other.yaml": SOURCE.replace("name: cluster", "name: other"),
                "x/ks.yaml": ks("x", "./config/default", source="other"),
            }
        )
    )
    inventory = read_repository(root, "main")

    assert not inventory.component("x").is_local
    assert ids(inventory) == set()


def test_entry_patches_count_before_reasoning(write: Write) -> None:
    """Decryption and substitution that an entry injects are seen, and a label opts out."""
    entry = ENTRY + (
        "  patches:\n"
        "    - patch: |\n"
        "        apiVersion: kustomize.toolkit.fluxcd.io/v1\n"
        "        kind: Kustomization\n"
        "        metadata: {name: not-used}\n"
        "        spec:\n"
        "          postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
        "      target:\n"
        "        kind: Kustomization\n"
        "        labelSelector: flux.home/disabled notin (true)\n"
        "    - patch: |\n"
        "        - {op: add, path: /spec/timeout, value: 9m}\n"
        "      target: {kind: Kustomization, name: a.*}\n"
    )
    plain = ks("b", "clusters/main/kubernetes/b").replace(
        "namespace: flux-system}", "namespace: flux-system, labels: {flux.home/disabled: 'true'}}"
    )
    root = write(
        {
            **base(
                **{
                    "kustomization.yaml": kustomization(
                        "source.yaml", "settings.yaml", "apps/a.yaml", "apps/b.yaml"
                    ),
                    "settings.yaml": config_map("settings", "flux-system", "{NAME: world}"),
                    "apps/a.yaml": ks("abc", "clusters/main/kubernetes/a"),
                    "apps/b.yaml": plain,
                    "a/cm.yaml": config_map("a", data="{x: 'hello ${NAME} ${LACKING}'}"),
                    "b/cm.yaml": config_map("b", data="{x: '${LACKING}'}"),
                }
            ),
            "clusters/main/kubernetes/flux-entry.yaml": entry,
        }
    )
    inventory = read_repository(root, "main")
    first, second = inventory.components

    assert ["ConfigMap/settings"] == [str(source) for source in first.substitute_from]
    assert "9m" == first.timeout
    assert () == second.substitute_from
    assert {"NAME": "world"} == inventory.variables.substitution(first.substitute_from)
    assert ["clusters/main/kubernetes/a/cm.yaml:4:11"] == [
        str(finding.position)
        for finding in inventory.findings
        if finding.id == "undefined-variable"
    ]


def test_clusters_share_repositories_but_nothing_else(write: Write) -> None:
    """Two clusters with equal names are read apart; one of them has no Talos."""
    files = base(**{"kustomization.yaml": kustomization("source.yaml", "apps/a.yaml")})
    files["clusters/main/kubernetes/apps/a.yaml"] = ks("a", "clusters/main/kubernetes/a")
    files["clusters/main/kubernetes/a/cm.yaml"] = config_map("here")
    other = {
        name.replace("/main/", "/other/"): text.replace("clusters/main", "clusters/other")
        for name, text in files.items()
    }
    other["clusters/other/kubernetes/a/cm.yaml"] = config_map("there")
    root = write({**files, **other})
    objects = [
        [str(item) for item in read_repository(root, name).component("a").objects]
        for name in list_clusters(root)
    ]

    assert [["ConfigMap/here"], ["ConfigMap/there"]] == objects
    assert read_repository(root, "other").talos is None


def test_directory_without_kustomization_is_read_as_flux_would(write: Write) -> None:
    """All manifests below count, a folder with its own kustomization as a whole."""
    root = write(
        base(
            **{
                "kustomization.yaml": kustomization("source.yaml", "apps/a.yaml"),
                "apps/a.yaml": ks("a", "clusters/main/kubernetes/a"),
                "a/one.yaml": config_map("one"),
                "a/deep/two.yml": config_map("two"),
                "a/own/kustomization.yaml": kustomization("three.yaml", namePrefix="x-"),
                "a/own/three.yaml": config_map("three"),
                "a/own/unlisted.yaml": config_map("four"),
                "a/readme.txt": "no manifest",
            }
        )
    )
    inventory = read_repository(root, "main")
    component = inventory.component("a")

    assert ["one", "two", "x-three"] == sorted(item.name for item in component.objects)
    assert not component.has_kustomization_file
    assert ids(inventory) == set()


def test_broken_references_have_places(write: Write) -> None:
    """Whatever makes a build fail is named at the line that says it."""
    root = write(
        base(
            **{
                "kustomization.yaml": kustomization(
                    "source.yaml", "gone.yaml", "apps", "bare", "../../../../../etc/passwd"
                ),
                "apps/kustomization.yaml": kustomization("a.yaml", "twice.yaml", "../apps"),
                "apps/a.yaml": ks("a", "clusters/main/kubernetes/nowhere"),
                "apps/twice.yaml": config_map("x") + "---\n" + config_map("x"),
                "bare/cm.yaml": config_map("bare"),
            }
        )
    )
    inventory = read_repository(root, "main")
    places = {(f.id, Path(f.position.path).name, f.position.line) for f in inventory.errors()}

    assert {
        ("missing-resource", "kustomization.yaml", 3),
        ("missing-kustomization-file", "kustomization.yaml", 5),
        ("missing-resource", "kustomization.yaml", 6),
        ("kustomization-cycle", "kustomization.yaml", 4),
        ("duplicate-id", "twice.yaml", 6),
        ("missing-path", "a.yaml", 5),
        ("entry-build-failed", "flux-entry.yaml", 1),
    } == places


def test_nothing_outside_the_repository_is_read(tmp_path: Path) -> None:
    """Symbolic links out of the repository and in circles are findings, not content."""
    secret = tmp_path / "secret.yaml"
    secret.write_text(config_map("secret"), encoding="utf-8")
    root = tmp_path / "repository"
    files = base(
        **{"kustomization.yaml": kustomization("source.yaml", "link.yaml", "loop", "apps/a.yaml")}
    )
    files["clusters/main/kubernetes/apps/a.yaml"] = ks("a", "clusters/main/kubernetes/loop")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder = root / "clusters/main/kubernetes"
    (folder / "link.yaml").symlink_to(secret)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "apps" / "pipe.yaml")
    inventory = read_repository(root, "main")

    assert "secret" not in {item.name for _, item in inventory.objects()}
    assert {
        "path-escapes",
        "missing-resource",
        "missing-path",
        "entry-build-failed",
        "file-unreadable",
    } == ids(inventory)


def test_a_tenant_without_sources_is_warned_only(write: Write) -> None:
    """Where a repository declares no source at all, its sources lie elsewhere."""
    inventory = read_repository(write(base(**{"source.yaml": config_map("x")})), "main")
    found = [(f.severity.value, f.message) for f in inventory.findings if f.id == "missing-source"]

    text = (
        "source of Kustomization `flux-entry` lies outside this repository:"
        " `GitRepository/flux-system/cluster`"
    )

    assert found == [("warning", text)]
