"""Trials: bootstraps in a lab of their own, each bounded in time, with everything in one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from lifecycle.cli.lab import find_lab, make_lab_environment, stop_lab
from lifecycle.cli.lab_faults import act_on_hints, clear_faults, list_faults
from lifecycle.cli.options import Arguments
from lifecycle.cli.place import find_state
from lifecycle.cli.requests import ClusterRequest, Settings
from lifecycle.drivers.documents import Json, JsonObject, as_object, list_at, parse_json, text_at
from lifecycle.store import ClusterState

__all__ = ["KILLED", "Ended", "Trial", "Workshop", "tell_first_line"]

KILLED = -signal.SIGKILL
_DOES_NOT_APPLY = "fault does not apply"  # as the lab refuses it
_SO_FAR = "cause so far: "  # as a run says it while a gate waits
_LOOK_S = 0.5
_TRIAL = "trial"
_LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a bootstrap ended: `document` is what it printed for machines; none when it was ended."""

    code: int
    elapsed_s: float
    document: JsonObject = field(default_factory=dict)
    is_late: bool = False
    said: str = ""  # what it was ended for

    @property
    def failures(self) -> Sequence[Json]:
        """What failed."""
        return list_at(self.document, "failures")

    @property
    def steps(self) -> Mapping[str, Json]:
        """Every step and gate by name."""
        return {text_at(step, "name"): step for step in list_at(self.document, "steps")}

    def describe(self) -> str:
        """Say in one line how it ended."""
        if self.is_late:
            return f"it did not end within {self.elapsed_s:.0f} s"
        if self.failures:
            failure = self.failures[0]
            return f"{text_at(failure, 'step')}: {tell_first_line(text_at(failure, 'message'))}"
        refused = text_at(self.document, "error", "message")
        return tell_first_line(refused) or f"it ended with exit code {self.code}"

    @property
    def hint(self) -> str:
        """What to do about it, as the run says."""
        return text_at(self.failures[0], "hint") if self.failures else ""

    @property
    def does_not_apply(self) -> str:
        """Why the lab has nothing that a fault could strike; empty when it has."""
        refused = text_at(self.document, "error", "message")
        return tell_first_line(refused) if _DOES_NOT_APPLY in refused else ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where trials happen, and what they all share."""

    home: Path
    settings: Settings
    target: ClusterRequest
    arguments: Arguments  # of every run: repository, key, charts, what is accepted, speed
    limit_s: float

    @contextmanager
    def open(self, name: str) -> Iterator[Trial]:
        """Begin in an empty folder; the lab ends afterwards, and only logs are left."""
        self.clear()
        folder = self.home / _TRIAL
        folder.mkdir(parents=True)
        trial = Trial(self, name, folder)
        try:
            yield trial
        finally:
            trial.keep_logs()
            self.clear()

    def clear(self) -> None:
        """End the lab of a trial, perhaps of a rehearsal that was killed, and remove it all."""
        folder = self.home / _TRIAL
        if folder.exists():
            with suppress(FileNotFoundError):
                stop_lab(self.find_state(folder))
            shutil.rmtree(folder, ignore_errors=True)

    def find_state(self, folder: Path) -> ClusterState:
        """Return where a trial's runs keep their state."""
        return find_state(replace(self.settings, state_home=folder / "state"), self.target)


@dataclass(frozen=True, slots=True)
class Trial:
    """One lab, and the bootstraps in it."""

    workshop: Workshop
    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """The file in which the output of its runs is kept."""
        return self.workshop.home / _LOGS / f"{self.name}.log"

    @property
    def state(self) -> ClusterState:
        """Where its runs keep their state."""
        return self.workshop.find_state(self.folder)

    @property
    def control(self) -> Path:
        """The control socket of its lab.

        Raises:
            FileNotFoundError: no lab stands.
        """
        lab = find_lab(self.state)
        if lab is None:
            raise FileNotFoundError(str(self.state.folder))
        return lab.control

    def bootstrap(
        self,
        *,
        faults: Sequence[str] = (),
        moment: str = "",
        consent: Sequence[str] = (),
        until: Callable[[str], bool] | None = None,
    ) -> Ended:
        """Bootstrap once, killed at the next step for a moment; waits until it has ended.

        It is ended before that once `until` finds in what it says meanwhile what it wants.
        """
        arguments = replace(self.workshop.arguments, faults=faults, consent_disk=consent)
        begun = time.monotonic()
        with (
            (self.folder / "result.json").open("w+b") as result,
            (self.folder / "output.log").open("ab") as output,
        ):
            process = subprocess.Popen(
                _make_argv(self.folder, moment),
                stdin=subprocess.PIPE,
                stdout=result,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the rehearsal, which ends its runs
                env=self._make_environment(),
            )
            try:
                told = partial(self._find_told, until) if until else None
                is_late = not _talk(process, arguments, self.workshop.limit_s, told)
                said = told() if told else ""
            finally:
                _end_group(process)
            result.seek(0)
            document = _parse(result.read())
        is_late = is_late and not said
        return Ended(process.returncode, time.monotonic() - begun, document, is_late, said)

    def _find_told(self, wanted: Callable[[str], bool]) -> str:
        """Find the first cause that a run told while a gate waited, and that is wanted."""
        text = (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if _SO_FAR in line and wanted(line)]
        return lines[0].partition("] ")[2] if lines else ""

    def repair(self, name: str) -> tuple[str, ...]:
        """End a fault, and do what the hints of the run tell; returns what it struck."""
        control = self.control
        struck = [fault.partition(":")[2] for fault in list_faults(control).on]
        clear_faults(control, [name])
        act_on_hints(control)
        return tuple(struck)

    def keep_logs(self) -> None:
        """Keep what its runs said."""
        self.log.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(self.folder / "output.log", self.log)

    def _make_environment(self) -> dict[str, str]:
        # State of a rehearsal never mixes with that of real clusters or of a standing lab. Its
        # faults are made for the lab's own Kubernetes.
        environment = {**make_lab_environment()}
        environment.pop("KUBEBUILDER_ASSETS", None)
        return environment | {"TALOS_LIFECYCLE_STATE": str(self.folder / "state")}


def tell_first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.strip().split("\n", 1)[0]


def _make_argv(folder: Path, moment: str) -> list[str]:
    # -P keeps a folder of the working directory from being taken for one of our packages.
    return [sys.executable, "-P", "-m", "lifecycle.cli.rehearsing.child", str(folder), moment]


def _talk(
    process: subprocess.Popen[bytes],
    arguments: Arguments,
    limit_s: float,
    told: Callable[[], str] | None,
) -> bool:
    """Hand over the arguments and wait; returns whether it ended in time, and by itself."""
    assert process.stdin is not None  # noqa: S101 (it was opened with pipes)
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(json.dumps(asdict(arguments)).encode())
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            process.wait(_LOOK_S if told else limit_s)
        except subprocess.TimeoutExpired:
            if told and told():
                return False
        else:
            return True
    return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a run with whatever it started; its lab has a session of its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _parse(output: bytes) -> JsonObject:
    try:
        return as_object(parse_json(output.decode("utf-8", "replace")))
    except ValueError:
        return {}  # killed before it could say anything
