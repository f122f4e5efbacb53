"""Repositories made to hang a reader: each gives findings, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from inventory import Inventory, read_repository
from tests.inventory.inventory_files import base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]
APP = "clusters/main/kubernetes/apps/a/app"
SECONDS = 12  # of processor time; each takes under 4 on a quiet machine
BYTES = 150 * 2**20
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: x{}, namespace: a}}
spec: {{type: LoadBalancer, loadBalancerIP: 10.0.0.1}}
"""


@pytest.fixture(autouse=True)
def _is_quick() -> Iterator[None]:
    """Fail when a test took too long."""
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def tree(files: Mapping[str, str], kustomize: str = "resources: [x.yaml]\n") -> dict[str, str]:
    """Return a cluster with one component, whose folder holds `files`."""
    return base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "apps"),
            "apps/kustomization.yaml": kustomization("a/ks.yaml"),
            "apps/a/ks.yaml": ks("a", APP, more="  postBuild: {substitute: {A: b}}\n"),
            "apps/a/app/kustomization.yaml": kustomize,
        },
        **{f"apps/a/app/{name}": text for name, text in files.items()},
    )


def found(inventory: Inventory) -> set[str]:
    """Return the ids of all findings."""
    return {finding.id for finding in inventory.findings}


def nested(count: int) -> str:
    """Return a path of nested directories."""
    return "/".join(f"k{number}" for number in range(count))


def bomb() -> str:
    """Return ten to the eighth values in nine lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    return config_map("x") + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("files", "kustomize", "finding"),
    [
        ({"x.yaml": bomb()}, "resources: [x.yaml]\n", "invalid-yaml"),
        ({"x.yaml": "[" * 100_000}, "resources: [x.yaml]\n", "invalid-yaml"),
        (
            {
                f"{nested(n)}/kustomization.yaml": kustomization(f"k{n}", f"./k{n}")
                for n in range(1, 30)
            }
            | {f"{nested(30)}/kustomization.yaml": kustomization()},
            kustomization("k0", "./k0"),
            "build-too-large",
        ),
        (
            {"x.yaml": "---\n".join(map(SERVICE.format, range(3000)))},
            "resources: [x.yaml]\n",
            "address-given-twice",
        ),
        ({}, kustomization(*(f"m{n}.yaml" for n in range(5000))), "missing-resource"),
        (
            {
                "x.yaml": config_map("x")
                + "items:\n"
                + "".join(f"- n: ${{V{n}}}\n" for n in range(9000))
            },
            "resources: [x.yaml]\n",
            "undefined-variable",
        ),
        (
            {"x.yaml": config_map("a" * 60)},
            "resources: [x.yaml]\npatches:\n- target: {name: (a+)+b}\n  patch: '[{op: bad}]'\n",
            None,
        ),
    ],
    ids=["aliases", "brackets", "doubling", "services", "missing", "undefined", "expression"],
)
def test_hostile_texts_give_findings(
    write: Write, files: dict[str, str], kustomize: str, finding: str | None
) -> None:
    """Bombs, doubling lists and very long files end as findings, in bounded time."""
    inventory = read_repository(write(tree(files, kustomize)), "main")

    assert finding is None or finding in found(inventory)


def test_aliases_take_bounded_memory(write: Write) -> None:
    """Ten to the eighth values in nine lines are never held."""
    root = write(tree({"x.yaml": bomb()}))
    tracemalloc.start()
    read_repository(root, "main")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < BYTES


def test_symbolic_links_that_lead_back_are_left(write: Write) -> None:
    """A directory that contains itself under another name is in no artifact."""
    root = write(tree({}, kustomization("self", "up", "loop")))
    (root / APP / "self").symlink_to(".")
    (root / APP / "up").symlink_to("../..")
    (root / APP / "loop").symlink_to("loop")

    assert {"not-in-artifact", "missing-resource"} <= found(read_repository(root, "main"))


def test_very_deep_directories_are_left(write: Write) -> None:
    """Directories in each other beyond what tools expect are a finding, and not gone into."""
    deep = "/".join("d" * 60)  # many more would stop pytest from removing them

    inventory = read_repository(write(tree({}) | {f"{deep}/x.yaml": config_map("x")}), "main")

    assert "nested-too-deep" in found(inventory)


def test_expressions_of_sops_rules_cannot_hang(write: Write) -> None:
    """A creation rule that backtracks for ever elsewhere is answered."""
    rules = "creation_rules:\n  - path_regex: '^(([a-z/])+)+$'\n    age: age1x\n"
    root = write({**tree({"x.yaml": config_map("x")}), ".sops.yaml": rules})
    (root / APP / ("a" * 60 + ".secret.yaml")).write_text("a: b\n")

    assert read_repository(root, "main").components


def test_a_node_without_a_disk_is_told(write: Write) -> None:
    """A node that names no disk would be installed on any."""
    talconfig = "nodes:\n  - {hostname: a, ipAddress: 10.0.0.1, controlPlane: true}\n"
    path = "clusters/main/talos/talconfig.yaml"
    inventory = read_repository(write({**tree({}), path: talconfig}), "main")
    place = next(str(f.position) for f in inventory.findings if f.id == "no-install-disk")

    assert place == f"{path}:2:5"
