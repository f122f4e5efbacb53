"""Lab charts: each renders with the real helm, and lies in the cache under its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lab.charts import ChartWanted, UsedKind, build_charts, find_chart, find_wanted_charts
from lab.charts.catalog import CATALOG
from lab.kubernetes.values import Object, at, maps, text, texts
from lab.repository import find_sample
from lab.tools import LabTools, ToolMissingError

_SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Mapping[ChartWanted, Path]:
    """Every known chart and one that nobody knows, made once."""
    names = [*CATALOG, "some-application"]
    return build_charts(
        [ChartWanted(name, "1.2.3") for name in names], tmp_path_factory.mktemp("charts")
    )


def _render(chart: Path, *args: str) -> list[Object]:
    tools = LabTools()
    try:
        tools.find("helm")
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    rendered = tools.run("helm", "template", "it", str(chart), "--namespace", "there", *args)
    return [document for document in yaml.safe_load_all(rendered) if document]


@pytest.mark.parametrize("name", [*CATALOG, "some-application"])
def test_every_lab_chart_renders(cache: Mapping[ChartWanted, Path], name: str) -> None:
    """Real helm renders each chart with its default values, without two objects of one name."""
    documents = _render(cache[ChartWanted(name, "1.2.3")], "--include-crds")
    keys = [(document["kind"], str(document["metadata"])) for document in documents]

    assert sorted(set(keys)) == sorted(keys)


def test_cert_manager_crds_wait_for_their_switch(cache: Mapping[ChartWanted, Path]) -> None:
    """The definitions are templates that render only when the values ask for them."""
    chart = cache[ChartWanted("cert-manager", "1.2.3")]
    off = [document["kind"] for document in _render(chart)]
    on = [document["kind"] for document in _render(chart, "--set", "crds.enabled=true")]

    assert off.count("CustomResourceDefinition") == 0
    assert on.count("CustomResourceDefinition") == 6


def test_the_cloud_manager_follows_its_values(cache: Mapping[ChartWanted, Path]) -> None:
    """Its controllers, its rules for nodes, and whether it runs on each control plane."""
    chart = cache[ChartWanted("talos-cloud-controller-manager", "1.2.3")]
    rule = "transformations[0].labels.kind=worker"
    given = ("enabledControllers={cloud-node}", "daemonSet.enabled=true", rule)
    rendered = _render(chart, *(word for value in given for word in ("--set", value)))
    kinds = {text(document, "kind"): document for document in rendered}
    pod = at(kinds["DaemonSet"], "spec", "template", "spec")
    rules = yaml.safe_load(text(kinds["ConfigMap"], "data", "ccm-config.yaml"))

    assert "--controllers=cloud-node" in texts(maps(pod, "containers")[0], "args")
    assert "node.kubernetes.io/not-ready" in str(pod["tolerations"])
    assert {"transformations": [{"labels": {"kind": "worker"}}]} == rules


def test_longhorn_crds_are_templates(cache: Mapping[ChartWanted, Path]) -> None:
    """Longhorn's definitions render unconditionally and belong to the release."""
    kinds = [document["kind"] for document in _render(cache[ChartWanted("longhorn", "1.2.3")])]

    assert kinds.count("CustomResourceDefinition") == 22


def test_made_charts_define_what_the_repository_uses(tmp_path: Path) -> None:
    """Of an operator that the lab does not play, and in versions that its own chart lacks."""
    charts = [ChartWanted("kyverno", "3.4.1"), ChartWanted("volsync", "1.2.3")]
    used = [
        UsedKind("kyverno.io", "ClusterPolicy", "v1", is_namespaced=False),
        UsedKind("kyverno.io", "ClusterPolicy", "v2beta1", is_namespaced=False),
        UsedKind("kyverno.io", "Policy", "v1", is_namespaced=True),
        UsedKind("volsync.backube", "ReplicationSource", "v1beta1", is_namespaced=True),
        UsedKind("cilium.io", "CiliumLoadBalancerIPPool", "v2", is_namespaced=False),
    ]
    made = build_charts(charts, tmp_path / "cache", used=used)
    found = {
        (
            text(document, "spec", "names", "plural"),
            text(document, "spec", "scope"),
            *(text(version, "name") for version in maps(document, "spec", "versions")),
        )
        for chart in charts
        for document in _render(made[chart])
        if document["kind"] == "CustomResourceDefinition"
    }

    assert found == {
        ("clusterpolicies", "Cluster", "v1", "v2beta1"),
        ("policies", "Namespaced", "v1"),
        ("replicationsources", "Namespaced", "v1alpha1", "v1beta1"),
        ("replicationdestinations", "Namespaced", "v1alpha1"),
    }


@pytest.mark.parametrize(
    "where", ["service.loadBalancerIP", "service.spec.loadBalancerIP", "service.tcp.loadBalancerIP"]
)
def test_ingress_controller_takes_its_address_where_values_have_it(
    cache: Mapping[ChartWanted, Path], where: str
) -> None:
    """Publishers put it into different places of a chart of the same name."""
    made = _render(cache[ChartWanted("traefik", "1.2.3")], "--set", f"{where}=10.0.0.9")
    wanted = [text(item, "spec", "loadBalancerIP") for item in made if item["kind"] == "Service"]

    assert wanted == ["10.0.0.9"]


@pytest.mark.parametrize(("version", "count"), [("v1.21.1", 0), ("6.5.2", 6)])
def test_cert_manager_of_truecharts_brings_its_definitions(
    tmp_path: Path, version: str, count: int
) -> None:
    """The upstream chart wants to be asked for them; both have the same name."""
    wanted = ChartWanted("cert-manager", version)
    made = build_charts([wanted], tmp_path / "cache")
    kinds = [document["kind"] for document in _render(made[wanted])]

    assert count == kinds.count("CustomResourceDefinition")


def test_charts_are_the_same_each_time(tmp_path: Path) -> None:
    """Building a chart twice gives the same bytes, so caches by content hold."""
    wanted = [ChartWanted("longhorn", "1.2.3")]
    first = build_charts(wanted, tmp_path / "a")[wanted[0]].read_bytes()

    assert first == build_charts(wanted, tmp_path / "b")[wanted[0]].read_bytes()


def test_real_charts_win(tmp_path: Path) -> None:
    """A chart that a given folder has in that name and version is taken as it is."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "longhorn-1.2.3.tgz").write_bytes(b"the real one")
    wanted = ChartWanted("longhorn", "1.2.3")
    made = build_charts([wanted], tmp_path / "cache", [real])

    assert made[wanted].read_bytes() == b"the real one"


def test_chart_is_found_with_or_without_v(tmp_path: Path) -> None:
    """`v1.2.3` and `1.2.3` name the same chart, as registries treat them."""
    file = tmp_path / "cert-manager-v1.2.3.tgz"
    file.touch()

    assert find_chart([tmp_path], "cert-manager", "1.2.3") == file
    assert find_chart([tmp_path], "cert-manager", "1.2.4") is None


def test_sample_names_its_charts() -> None:
    """The charts of a tree come from HelmReleases and from the OCI sources that they name."""
    wanted = find_wanted_charts(find_sample())

    assert ChartWanted("cert-manager", "v1.21.1") in wanted
    assert ChartWanted("longhorn", "1.12.1") in wanted
    assert len(wanted) == 9


def test_file_in_no_known_encoding_is_passed_over(tmp_path: Path) -> None:
    """Whoever reads the repository tells of it, with its name; here it would hide the charts."""
    folder = tmp_path / "clusters" / "main"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_bytes(b"kind: HelmRelease\n\xff\xfe\n")

    assert [] == [*find_wanted_charts(tmp_path)]


@pytest.mark.parametrize("tree", ["sample", "nomenator"])
def test_charts_render_with_the_values_of_a_tree(tree: str, tmp_path: Path) -> None:
    """Every release of the tree renders with its own values, unsubstituted, like in life."""
    source = find_sample() if tree == "sample" else _SHARED / "repos" / tree
    if not source.is_dir():
        pytest.skip("needs ../shared/data/repos")
    made = build_charts(find_wanted_charts(source), tmp_path / "cache")
    failed = []
    for file in sorted(source.glob("clusters/**/helm-release.yaml")):
        release = yaml.safe_load(file.read_text())
        chart = release["spec"].get("chart", {}).get("spec")
        if chart is None:
            continue
        values = tmp_path / "values.yaml"
        values.write_text(yaml.safe_dump(release["spec"].get("values") or {}))
        wanted = ChartWanted(chart["chart"], str(chart["version"]))
        if not _render(made[wanted], "--values", str(values), "--include-crds"):
            failed.append(release["metadata"]["name"])

    assert failed == []


def test_applications_bring_what_volsync_needs(cache: Mapping[ChartWanted, Path]) -> None:
    """The Secret of the repository, a size and modes as the application's own claim has.

    That claim is filled by what is restored, as TrueCharts' common library has it.
    """
    data = "persistence.data.volsync[0]"
    values = [f"{data}.name=s3", f"{data}.dest.enabled=true", f"{data}.src.enabled=true"]
    values += ["persistence.data.enabled=true", "persistence.data.size=7Gi"]
    chart = cache[ChartWanted("some-application", "1.2.3")]
    made = {item["kind"]: item for item in _render(chart, "--set", ",".join(values))}
    restic = at(made["ReplicationDestination"], "spec", "restic")
    claim = made["PersistentVolumeClaim"]

    assert text(made["Secret"], "metadata", "name") == restic["repository"]
    assert {"RESTIC_PASSWORD", "RESTIC_REPOSITORY"} == set(at(made["Secret"], "stringData"))
    assert ("7Gi", ["ReadWriteOnce"]) == (restic["capacity"], restic["accessModes"])
    assert restic == at(made["ReplicationSource"], "spec", "restic")
    assert "ReplicationDestination" == text(claim, "spec", "dataSourceRef", "kind")
    assert text(made["ReplicationDestination"], "metadata", "name") == text(
        claim, "spec", "dataSourceRef", "name"
    )


@pytest.mark.parametrize(
    ("values", "path", "wanted"),
    [
        ("mode=standalone", ("bootstrap", "initdb"), {"database": "app", "owner": "app"}),
        ("mode=recovery", ("bootstrap", "recovery"), {"source": "origin"}),
        (
            "mode=recovery,cnpg.main.recovery.method=backup,cnpg.main.recovery.backupName=old",
            ("bootstrap", "recovery"),
            {"backup": {"name": "old"}},
        ),
        (
            "cluster.singleNode=true",
            ("nodeMaintenanceWindow",),
            {"inProgress": True, "reusePVC": True},
        ),
        (
            "cluster.walStorage.size=7Gi",
            ("walStorage", "pvcTemplate", "resources", "requests"),
            {"storage": "7Gi"},
        ),
    ],
)
def test_applications_bring_their_database(
    cache: Mapping[ChartWanted, Path], values: str, path: tuple[str, ...], wanted: Object
) -> None:
    """A Cluster as TrueCharts' library makes it, and a container that waits for it."""
    chart = cache[ChartWanted("some-application", "1.2.3")]
    rendered = _render(chart, "--set", f"cnpg.main.enabled=true,cnpg.main.{values}")
    made = {item["kind"]: item for item in rendered}
    waits = maps(made["Deployment"], "spec", "template", "spec", "initContainers")

    assert wanted == at(made["Cluster"], "spec", *path)
    assert 2 == at(made["Cluster"], "spec")["instances"]
    assert "pg_isready -h it-some-application-cnpg-main-rw;" in texts(waits[0], "command")[-1]
