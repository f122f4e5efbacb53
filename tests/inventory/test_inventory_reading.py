"""Reading as such: ciphertext, overlays, empty folders, the public names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from inventory import read_repository
from tests.inventory.inventory_files import ENTRY, base, config_map, ids, kustomization

Write = Callable[[Mapping[str, str]], Path]


def test_overlay_replaces_files_and_only_names_are_read_of_ciphertext(write: Write) -> None:
    """Encrypted settings give names; the caller's decrypted text gives values."""
    encrypted = config_map("settings", "flux-system", '{TOKEN: "ENC[AES256_GCM,data:x]"}')
    entry = ENTRY + "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
    root = write(
        {
            **base(**{"kustomization.yaml": kustomization("source.yaml", "s.yaml")}),
            "clusters/main/kubernetes/flux-entry.yaml": entry,
            "clusters/main/kubernetes/s.yaml": encrypted,
            "clusters/main/clusterenv.yaml": 'VIP: "ENC[AES256_GCM,data:y]"\n',
        }
    )
    closed = read_repository(root, "main").variables
    overlay = {
        "clusters/main/kubernetes/s.yaml": config_map("settings", "flux-system", "{TOKEN: abc}"),
        "clusters/main/clusterenv.yaml": "VIP: 10.0.0.5\n",
    }
    opened = read_repository(root, "main", overlay).variables
    key = ("ConfigMap", "flux-system", "settings")

    assert (frozenset({"TOKEN"}), {}, True) == (
        closed.sets[key].names,
        closed.sets[key].values,
        closed.sets[key].encrypted,
    )
    assert {"TOKEN": "abc"} == opened.sets[key].values
    assert ("", "10.0.0.5", "10.0.0.5/24") == (
        closed.get("VIP"),
        opened.get("VIP_IP"),
        opened.get("VIP_CIDR"),
    )


def test_empty_and_absent_repositories_have_findings(tmp_path: Path) -> None:
    """Nothing at all is an answer too."""
    assert {"no-entry"} == ids(read_repository(tmp_path, "main"))
    assert {"no-entry"} == ids(read_repository(tmp_path / "absent", "main"))


def test_public_names_are_importable() -> None:
    """What the package promises is there, sorted, and nothing else is public."""
    import inventory  # noqa: PLC0415 - the package itself is the subject

    assert all(hasattr(inventory, name) for name in inventory.__all__)
    assert sorted(inventory.__all__) == list(inventory.__all__)
