"""What the charts of releases bring, rendered by the real helm."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from inventory import Release
from inventory.model import SourceKey
from lifecycle.drivers.charts import ChartCache
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.errors import LifecycleError
from lifecycle.secrets import Redactor
from lifecycle.world.chart_facts import ChartFacts, HoldsInventory

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.%(group)s}
spec:
  group: %(group)s
  names: {kind: %(kind)s, plural: %(plural)s}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
MONITORS = CRD % {"group": "monitoring.lab.example", "kind": "Monitor", "plural": "monitors"}
ROUTES = CRD % {"group": "routes.lab.example", "kind": "Route", "plural": "routes"}
NEEDY = """\
{{- if not (.Capabilities.APIVersions.Has "%s/v1") }}
{{- fail "ERROR: You have to deploy %s/v1 first" }}
{{- end }}
"""


def write_chart(folder: Path, name: str, template: str) -> None:
    """Write a chart with one template that mentions CRDs."""
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        "templates/crds.yaml": template,
    }
    with tarfile.open(folder / f"{name}-1.0.0.tgz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def release(name: str) -> Release:
    """A release of the chart of that name."""
    source = SourceKey("HelmRepository", "flux-system", "charts")
    return Release(name, name, name, "1.0.0", source, is_chart_ref=False, values={})


def make_facts(folder: Path) -> ChartFacts:
    """Facts of charts in `folder`."""
    helm = shutil.which("helm") or pytest.skip("there is no helm")
    runner = ProcessRunner(Environment.from_variables(os.environ), redactor=Redactor())
    made = Helm(helm, runner, folder / "home")
    variables = SimpleNamespace(substitution=lambda _: {})
    inventory = SimpleNamespace(
        sources=(),
        talos=None,
        variables=variables,
        component=lambda _: SimpleNamespace(substitute_from=(), substitute={}),
        objects=lambda: (),
    )
    holder = cast("HoldsInventory", SimpleNamespace(inventory=inventory))
    return ChartFacts(holder, ChartCache((folder,), folder / "cache", made), made, folder / "kept")


async def test_chart_that_wants_the_kinds_of_another_comes_after_it(tmp_path: Path) -> None:
    """Traefik's, for one, does not render before Prometheus' kinds are served."""
    write_chart(tmp_path, "asking", NEEDY % (("monitoring.lab.example",) * 2) + ROUTES)
    write_chart(tmp_path, "giving", MONITORS)
    write_chart(tmp_path, "lost", NEEDY % (("nobody.lab.example",) * 2) + ROUTES)
    releases = [release(name) for name in ("lost", "asking", "giving")]
    learnt = await make_facts(tmp_path).learn_crd_kinds(releases)

    kinds = {
        name: str(found) if isinstance(found, LifecycleError) else [kind.kind for kind in found]
        for name, found in learnt.items()
    }
    lost = kinds.pop("lost/lost")
    assert {"asking/asking": ["Route"], "giving/giving": ["Monitor"]} == kinds
    assert "chart does not render: `lost 1.0.0`: execution error at" in lost
    assert str(lost).endswith("You have to deploy nobody.lab.example/v1 first")
