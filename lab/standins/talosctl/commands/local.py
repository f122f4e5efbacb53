"""Commands that need no machine: `gen secrets` and `validate`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lab.standins.machineconfig.validation import validate_documents
from lab.standins.machineconfig.yaml_door import YamlError, load_documents
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn
from lab.standins.talosctl.failure import CommandError
from lab.standins.values import as_map

__all__ = ["generate_secrets", "validate"]

_MODES = ("metal", "cloud", "container")
_VERSION = re.compile(r"^v(\d+)\.(\d+)($|\.)")


def generate_secrets(call: Call) -> None:
    """`gen secrets [-o FILE] [--force] [--talos-version vX.Y]`."""
    from lab.standins.secrets_bundle import make_talsecret  # noqa: PLC0415  slow to import

    version = call.parsed.text("talos-version")
    if version and not _VERSION.match(f"v{version.removeprefix('v')}"):
        raise CommandError(
            f'invalid talos-version: error parsing version "v{version.removeprefix("v")}"'
        )
    name = call.parsed.text("output-file")
    if name == "-":
        sys.stdout.write(make_talsecret())
        return
    path = Path(name)
    if path.exists() and not call.parsed.is_set("force"):
        raise CommandError(f'file "{name}" already exists, use --force to overwrite')
    path.touch(mode=0o600)
    path.write_text(make_talsecret())


def validate(call: Call) -> None:
    """`validate -c FILE -m metal|cloud|container [--strict]`: structure, not every value."""
    mode, name = call.parsed.text("mode"), call.parsed.text("config")
    if not call.parsed.was_given("mode"):
        raise CommandError('required flag(s) "mode" not set')
    try:
        text = Path(name).read_text()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"open {name}: {reason}") from error
    try:
        documents = [as_map(item) for item in load_documents(text)]
    except YamlError as error:
        raise CommandError(f"decode error: {error}") from error
    if not documents:
        raise CommandError("config not found")
    if mode not in _MODES:
        raise CommandError(f'unknown runtime mode: "{mode}"')
    main = next((item for item in documents if "kind" not in item), {})
    if main.get("machine") is not None and not as_map(main["machine"]).get("type"):
        warn('WARNING: use "worker" instead of "" for machine type')
    problems = validate_documents(documents, mode)
    if problems:
        raise CommandError(problems)
    sys.stdout.write(f"{name} is valid for {mode} mode\n")
