"""`kubeconfig [PATH]`: the admin kubeconfig, written, merged, or to standard output."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
from pathlib import Path

from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import write
from lab.standins.talosctl.commands.streams import read_stream
from lab.standins.talosctl.failure import CommandError
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text, from_untyped

__all__ = ["download", "extract_kubeconfig"]

_PARTS = (("clusters", "cluster"), ("users", "auth info"), ("contexts", "context"))


def download(call: Call) -> None:
    """`kubeconfig [PATH] [-f] [-m=false] [--force-context-name NAME]`."""
    client = call.open()
    call.refuse_many(client, "kubeconfig")
    parsed = call.parsed
    merge, force = parsed.is_set("merge"), parsed.is_set("force")
    path = _choose_path(call.words, merge=merge)
    if path.exists() and not (force or merge):
        raise CommandError(f'kubeconfig file already exists, use --force to overwrite: "{path}"')
    merge = merge and path.exists()
    # The real one hears of a refusal while it unpacks.
    archive = read_stream(
        client, "Kubeconfig", {}, opening="error copying", reading="error initializing gzip"
    )
    data = extract_kubeconfig(archive)
    if merge:
        _merge_into(path, data, force=force, name=parsed.text("force-context-name"))
    elif os.fspath(path) == "-":
        sys.stdout.write(data.decode())
    else:
        _write_private(path, data)


def _choose_path(words: list[str], *, merge: bool) -> Path:
    if words:
        path = Path(words[0])
    elif merge:
        path = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    else:
        path = Path.cwd()
    if path.is_dir():
        return path / "kubeconfig"
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return path


def extract_kubeconfig(archive: bytes) -> bytes:
    """Take the kubeconfig out of what a machine streams."""
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if member.name.lstrip("./") == "kubeconfig" and content is not None:
                    return content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise CommandError(f"error initializing gzip: {error}") from error
    raise CommandError("couldn't find file kubeconfig in the archive")


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _merge_into(path: Path, data: bytes, *, force: bool, name: str) -> None:
    import yaml  # noqa: PLC0415  slow to import, only for merging

    old = as_map(from_untyped(yaml.safe_load(path.read_text())))
    new = as_map(from_untyped(yaml.safe_load(data)))
    renames: dict[str, str] = {}
    for key, label in _PARTS:
        kept = [as_map(item) for item in as_list(old.get(key))]
        for item in as_list(new.get(key)):
            entry = _rename(dict(as_map(item)), renames)
            if key == "contexts" and name:
                entry["name"] = name
            _place(kept, entry, renames, force=force, label=label)
            if key == "contexts":
                old["current-context"] = entry["name"]
        old[key] = list[Json](kept)
    _write_private(path, yaml.safe_dump(old, sort_keys=False).encode())


def _rename(entry: JsonMap, renames: dict[str, str]) -> JsonMap:
    context = dict(as_map(entry.get("context")))
    for key in ("cluster", "user"):
        value = as_text(context.get(key))
        if value in renames:
            context[key] = renames[value]
    return entry | {"context": context} if context else entry


def _place(
    kept: list[JsonMap], entry: JsonMap, renames: dict[str, str], *, force: bool, label: str
) -> None:
    wanted = as_text(entry.get("name"))
    index = next((i for i, item in enumerate(kept) if item.get("name") == wanted), None)
    if index is not None and (force or kept[index] == entry):
        kept[index] = entry
        return
    if index is not None:
        taken = {as_text(item.get("name")) for item in kept}
        fresh = next(
            f"{wanted}-{n}" for n in range(1, len(taken) + 2) if f"{wanted}-{n}" not in taken
        )
        write(f'renamed {label} "{wanted}" -> "{fresh}"\n')
        renames[wanted] = fresh
        entry["name"] = fresh
    kept.append(entry)
