"""What real talosctl 1.13.9 said, recorded in files, is what the stand-in says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lab.standins.talosctl.command import main
from tests.standins.standins_process import Said

_CASES = Path(__file__).parent / "cases"
_FORM = re.compile(
    r"\$ talosctl (?P<args>.*)\n--- stdout\n(?P<out>.*)"
    r"--- stderr\n(?P<err>.*)--- exit (?P<code>\d+)",
    re.DOTALL,
)


def _cut_usage(text: str) -> str:
    # The usage block is help, which nobody parses.
    return text.partition("\nUsage:")[0]


@pytest.mark.parametrize("name", sorted(path.stem for path in (_CASES / "talosctl").iterdir()))
def test_talosctl_says_what_the_real_one_said(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Standard output, standard error and exit code are the recorded ones."""
    match = _FORM.match((_CASES / "talosctl" / f"{name}.txt").read_text())
    assert match is not None
    expected = Said(match["out"], match["err"], int(match["code"]))
    monkeypatch.chdir(_CASES / "files")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TALOSCONFIG", raising=False)
    code = main(shlex.split(match["args"]))
    said = capfd.readouterr()

    assert expected == Said(said.out, _cut_usage(said.err), code)
