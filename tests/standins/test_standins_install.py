"""Launchers: written for what is missing, told from real tools, quick to run."""

from __future__ import annotations

from pathlib import Path

from lab.standins.install import install_standins, is_standin
from tests.standins.standins_process import Run


def test_only_missing_tools_with_a_stand_in_get_a_launcher(tmp_path: Path) -> None:
    """A tool that is there, or that no stand-in replaces, is left alone."""
    install_standins(tmp_path / "bin", ["talosctl", "helm"])

    assert ["talosctl"] == [path.name for path in (tmp_path / "bin").iterdir()]


def test_a_launcher_is_told_from_a_real_tool(tmp_path: Path) -> None:
    """`is_standin` looks at the file, not at its name."""
    install_standins(tmp_path / "bin", ["flux"])
    real = tmp_path / "flux"
    real.write_bytes(b"\x7fELF")

    assert (True, False, False) == (
        is_standin(tmp_path / "bin" / "flux"),
        is_standin(real),
        is_standin(tmp_path / "nothing"),
    )


def test_launchers_run(run: Run) -> None:
    """Each launcher answers for its version."""
    said = [
        run("talosctl", "version", "--client", "--short").stdout,
        run("flux", "--version").stdout,
        run("clustertool", "--version").stdout,
    ]

    assert [
        "Client:\nTalos v1.13.9\n",
        "flux version 2.9.4\n",
        "clustertool version dev (lab stand-in)\n",
    ] == said
