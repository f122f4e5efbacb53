"""Charts of ConfigMaps: what helm-controller does can be seen where no pod runs."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import yaml

__all__ = ["write_charts"]

_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  key: {{ .Values.key | quote }}
  version: {{ .Chart.Version | quote }}
"""
_NEEDY = '{{ required "key is needed, really" .Values.missing }}\n'
_CUSTOM = """apiVersion: lab.example/v1
kind: Unknown
metadata:
  name: one
"""
_LOST = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Values.namespace }}
data:
  version: {{ .Chart.Version | quote }}
"""
_CHARTS: Mapping[str, tuple[str, ...]] = {
    "web": ("1.2.3", "1.3.0", "2.0.0"),
    "spaced": ("1.2.3",),
    "needy": ("1.2.3",),
    "custom": ("1.2.3",),
}
_TEMPLATES = {"web": _MAP, "needy": _NEEDY, "custom": _CUSTOM, "spaced": _LOST}


def write_charts(folder: Path) -> None:
    """Write `<name>-<version>.tgz` of each chart, and an index of them all."""
    entries: dict[str, list[Mapping[str, object]]] = {}
    for name, versions in _CHARTS.items():
        for version in versions:
            metadata = {"apiVersion": "v2", "name": name, "version": version}
            content = _pack(
                {
                    f"{name}/Chart.yaml": yaml.safe_dump(metadata),
                    f"{name}/values.yaml": "key: default\n",
                    f"{name}/templates/all.yaml": _LOST if version == "2.0.0" else _TEMPLATES[name],
                }
            )
            file = f"{name}-{version}.tgz"
            (folder / file).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            entry: Mapping[str, object] = {**metadata, "urls": [file], "digest": digest}
            entries.setdefault(name, []).append(entry)
    for broken, written in (("noyaml", "<html>\n<p>not: found: here"), ("empty", "")):
        (folder / broken).mkdir()
        (folder / broken / "index.yaml").write_text(written)
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))


def _pack(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return held.getvalue()
