"""How fast a repository is read and judged: in fresh processes, from small to very large.

The promises (issue 3): 110 Kustomizations to a full inventory in 0.7 s and to `validate` without
tools in 1.5 s, in less than 150 MiB, and a cost that grows with the size and no faster.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SIZES", "Reading", "draw_inventory", "draw_readings", "generate", "measure_inventory"]

SIZES = (500, 1000, 2000, 5000)  # Kustomizations
_ROOT = Path(__file__).resolve().parents[1]
_REAL = _ROOT.parent / "shared" / "data" / "repos" / "zachbomb"
_REAL_SIZE = 108  # live Kustomizations, entries included
_TRIES = 5  # of the real repository; the first one compiles, and the quickest counts
_KIB_A_MIB = 1024
_READ = """
import sys
from pathlib import Path
from inventory import read_repository
from inventory.summary import summarise
summarise(read_repository(Path(sys.argv[1]), 'main'))
"""
_FILES = {
    "ks.yaml": """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  path: ./clusters/main/kubernetes/{layer}/{name}/app
  sourceRef: {{kind: GitRepository, name: cluster}}
  dependsOn: [{depends}]
  interval: 10m
  wait: true
  prune: true
  postBuild:
    substitute: {{APP: {name}}}
    substituteFrom: [{{kind: ConfigMap, name: cluster-config}}]
""",
    "app/kustomization.yaml": "resources: [namespace.yaml, helm-release.yaml]\n",
    "app/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n",
    "app/helm-release.yaml": """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {name}, namespace: {name}}}
spec:
  interval: 15m
  chart:
    spec:
      chart: app-template
      version: 4.6.2
      sourceRef: {{kind: HelmRepository, name: charts, namespace: flux-system}}
  values:
    controllers:
      main:
        containers: {{main: {{image: {{repository: registry.example/{name}, tag: v1.2.3}}}}}}
    service: {{app: {{ports: {{http: {{port: 8080}}}}}}}}
    ingress: {{app: {{hosts: [{{host: "${{APP}}.${{DOMAIN}}"}}]}}}}
    env: {{TZ: "${{TIMEZONE:=Etc/UTC}}"}}
    persistence: {{config: {{enabled: true, storageClass: longhorn, size: 5Gi}}}}
""",
}
_ENTRY = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-entry, namespace: flux-system}
spec:
  path: ./clusters/main/kubernetes
  sourceRef: {kind: GitRepository, name: cluster}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: cluster, namespace: flux-system}
spec: {url: "https://git.example/cluster.git"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: flux-system}
spec: {type: oci, url: "oci://registry.example/charts"}
---
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cluster-config, namespace: flux-system}
data: {DOMAIN: cluster.example, LOAD_BALANCER_RANGE: 10.0.0.10-10.0.0.90}
"""
_LAYERS = ("system", "core", "networking", "observability", "apps")


@dataclass(frozen=True, slots=True)
class Reading:
    """One row: wall and processor seconds, and the highest memory, of a fresh process."""

    what: str
    size: int
    wall_s: float
    cpu_s: float
    peak_mib: float

    @property
    def each_ms(self) -> float:
        """Processor milliseconds for one Kustomization."""
        return self.cpu_s * 1000 / self.size


def measure_inventory(sizes: Sequence[int] = SIZES) -> Iterator[Reading]:
    """Yield rows: the real repository where it is at hand, then generated ones."""
    with tempfile.TemporaryDirectory(prefix="bench-compiled-") as cache:
        if _REAL.is_dir():
            yield from _measure(_REAL, _REAL_SIZE, Path(cache))
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="bench-inventory-") as folder:
                generate(Path(folder), size)
                yield from _measure(Path(folder), size, Path(cache))


def draw_inventory() -> str:
    """Return the table as a small process measures it: a peak includes that of the parent."""
    words = [sys.executable, "-m", "ci.bench_inventory"]
    done = subprocess.run(words, check=True, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    return done.stdout.rstrip("\n") + "\n"


def draw_readings(readings: Sequence[Reading]) -> str:
    """Return the table as text."""
    head = f"  {'what':<10} {'size':>5} {'wall':>8} {'processor':>10} {'each':>9} {'memory':>9}"
    rows = [
        f"  {r.what:<10} {r.size:>5} {r.wall_s:>6.2f} s {r.cpu_s:>8.2f} s"
        f" {r.each_ms:>6.2f} ms {r.peak_mib:>5.0f} MiB"
        for r in readings
    ]
    return "\n".join(
        [
            "reading repositories, each in a fresh process; the first size: best of 5",
            head,
            *rows,
            "",
        ]
    )


def generate(root: Path, size: int) -> None:
    """Write a repository of `size` Kustomizations in five layers; each waits for the one before.

    Each substitutes variables of its own, of the cluster's ConfigMap, and one with a default.
    """
    base = root / "clusters/main/kubernetes"
    names = [f"app-{number}" for number in range(size)]
    layer_of: Callable[[int], str] = lambda number: _LAYERS[number * len(_LAYERS) // size]  # noqa: E731
    listed: dict[str, list[str]] = {layer: [] for layer in _LAYERS}
    for number, name in enumerate(names):
        layer = layer_of(number)
        listed[layer].append(f"{name}/ks.yaml")
        depends = f"{{name: {names[number - 1]}}}" if number else ""
        for path, text in _FILES.items():
            filled = text.format(name=name, layer=layer, depends=depends)
            _write(base / layer / name / path, filled)
    for layer, files in listed.items():
        _write(base / layer / "kustomization.yaml", f"resources: [{', '.join(files)}]\n")
    _write(base / "flux-entry.yaml", _ENTRY)
    _write(base / "kustomization.yaml", f"resources: [flux-entry.yaml, {', '.join(_LAYERS)}]\n")
    _write(root / "clusters/main/clusterenv.yaml", "CLUSTERNAME: main\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _measure(root: Path, size: int, cache: Path) -> Iterator[Reading]:
    commands = (
        ("inventory", ["-c", _READ, str(root)]),
        ("validate", ["-m", "invoke", "validate", "--repo", str(root)]),
    )
    tries = _TRIES if size == _REAL_SIZE else 1
    for what, words in commands:
        rows = [_run(what, size, words, cache) for _ in range(tries)]
        yield min(rows, key=lambda row: row.wall_s)


def _run(what: str, size: int, words: Sequence[str], cache: Path) -> Reading:
    """Run Python with these words; the output goes nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        began = time.perf_counter()
        pid = os.posix_spawn(
            sys.executable, [sys.executable, *words], _environ(cache), file_actions=streams
        )
        _, _, used = os.wait4(pid, 0)
        wall_s = time.perf_counter() - began
    finally:
        os.close(null)
    cpu_s = used.ru_utime + used.ru_stime
    return Reading(what, size, wall_s, cpu_s, used.ru_maxrss / _KIB_A_MIB)


def _environ(cache: Path) -> dict[str, str]:
    """Return an environment that keeps compiled modules, as every installation does."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": str(cache)}


if __name__ == "__main__":
    print(draw_readings(list(measure_inventory())))
