"""What the tests of repository faults share: one materialized sample, read before it is broken."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from inventory import Finding, read_repository
from lab.breaking import damage
from lab.faults.repository import RepositoryFault
from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools

_ENV_FILE = "clusters/main/clusterenv.yaml"


@dataclass(frozen=True, slots=True)
class Sound:
    """The sample as the lab makes it, and what is found in it before anything is broken."""

    made: MaterializedRepository
    tools: LabTools
    decrypted: dict[str, str]
    findings: frozenset[tuple[str, str]]

    def break_copy(self, fault: RepositoryFault, folder: Path) -> Path:
        """Carry out a fault in a copy."""
        copy = folder / "copy"
        shutil.copytree(self.made.path, copy, symlinks=True)
        damage(copy, "main", fault, self.tools, self.decrypted)
        return copy

    def find_new(self, copy: Path) -> list[Finding]:
        """Return what is found in a broken copy, and not in the sound one."""
        found = read_repository(copy, "main", self.decrypted).findings
        return [one for one in found if (one.id, one.message) not in self.findings]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The sample, materialized once."""
    made = materialize(find_sample(), tmp_path_factory.mktemp("sound"), LabTools())
    tools = LabTools(env=made.env)
    decrypted = {_ENV_FILE: tools.run("sops", "decrypt", _ENV_FILE, cwd=made.path)}
    findings = read_repository(made.path, "main", decrypted).findings
    return Sound(made, tools, decrypted, frozenset((one.id, one.message) for one in findings))
