"""Breaks a private copy by one fault after the other, and mends it in between.

First it says where the copy is, then it answers names of faults of the repository, one JSON object
a line: `changed` has the files that a fault touched, `why` says why it does not apply.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TextIO

from lab.breaking import damage, own_copy
from lab.faults import RepositoryFault, find_fault
from lab.faults.repository import DoesNotApplyError
from lab.repository import (
    choose_cluster,
    decrypt_environment,
    find_given_key,
    find_sample,
    materialize,
)
from lab.tools import LabTools
from lab.world import LabRequest

__all__ = ["break_one_by_one"]


def break_one_by_one(request: LabRequest, asked: TextIO, answers: TextIO) -> None:
    """Answer until nobody asks any more.

    Raises:
        FaultError: a name is none.
        ToolFailedError, ToolMissingError, ValueError: the copy cannot be made.
    """
    request.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tools = LabTools(request.tools)
    made = materialize(request.repository or find_sample(), request.folder, tools)
    made = own_copy(made, request.folder, tools)
    tools = tools.with_env({**made.env, **find_given_key(os.environ)})
    cluster = choose_cluster(made.path, request.cluster)
    decrypted = decrypt_environment(made, cluster, tools)
    key = str(made.age_key_file) if made.age_key_file else ""
    described = {
        "root": str(made.path),
        "cluster": cluster,
        "commit": made.commit,
        "age_key_file": key,
    }
    _tell(answers, described)
    for line in asked:
        fault = find_fault(line.strip())
        tools.run("git", "reset", "--quiet", "--hard", cwd=made.path)
        tools.run("git", "clean", "--quiet", "-fdx", cwd=made.path)
        try:
            if isinstance(fault, RepositoryFault):
                changed = damage(made.path, cluster, fault, tools, decrypted)
                _tell(answers, {"changed": list(changed)})
            else:
                _tell(answers, {"why": "it is none of the repository"})
        except DoesNotApplyError as error:
            _tell(answers, {"why": str(error)})


def _tell(answers: TextIO, said: Mapping[str, object]) -> None:
    answers.write(json.dumps(said) + "\n")
    answers.flush()
