"""The lab's control socket: asks what happened, and makes things go wrong.

One JSON object a line in, one out. `{"do": "ledger"}` answers with counted acts and waits;
`{"do": "set-fault", "fault": "NAME[:TARGET][@STEP|@SECONDS][+SECONDS]"}` makes something of the
catalogue go wrong, `{"do": "set-faults", "file": PATH}` whatever a file says, and
`{"do": "schedule", "seed": NUMBER}` what a seed makes. `{"do": "clear-fault", "fault":
"NAME[:TARGET]"}` ends one, `{"do": "faults"}` lists them, `{"do": "targets"}` says what those can
strike that need a target, `{"do": "retry"}` denies requests in another's name and tells
Flux to try again what failed, and `{"do": "begin-step", "step": NAME}` is told by a run before it
begins one. `{"do": "follow"}` brings what was committed since into the lab's remote, and says
whether it works on an old copy.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from lab.clock import LabClock
from lab.faults import (
    FAULTS,
    FaultBoard,
    describe_target,
    parse_fault,
    read_fault_file,
    write_fault_file,
)
from lab.following import Follower
from lab.ledger import Ledger, find_longest_chain
from lab.operating import Operator

__all__ = ["Control"]

Answer: TypeAlias = "dict[str, object]"

_OF_WORLD = frozenset({"targets", "retry", "follow"})


class Control:
    """Serves one client after the other; each question is answered at once."""

    def __init__(
        self,
        path: Path,
        *,
        folder: Path,
        ledger: Ledger,
        clock: LabClock,
        faults: FaultBoard,
        operator: Operator,
        follower: Follower,
    ) -> None:
        self._path = path
        self._folder = folder
        self._ledger = ledger
        self._clock = clock
        self._faults = faults
        self._operator = operator
        self._follower = follower
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path=str(self._path))

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            question = json.loads(line)
            if question["do"] == "ledger":
                return self._describe_ledger()
            if question["do"] in _OF_WORLD:
                return await self._answer_world(question["do"])
            return self._answer_fault(question)
        except (ValueError, KeyError, TypeError) as error:
            return _describe(error)

    async def _answer_world(self, question: str) -> Answer:
        match question:
            case "targets":
                return {**await self._operator.suggest_targets()}
            case "retry":
                denied = await self._operator.deny_requests()
                deleted = await self._operator.delete_unrecovered()
                retried = await self._operator.retry_releases()
                return {"retried": retried, "denied": denied, "deleted": deleted}
            case _:
                return {"is_old": await self._follower.follow()}

    def _answer_fault(self, question: Mapping[str, str]) -> Answer:
        match question["do"]:
            case "set-fault":
                self._faults.set(parse_fault(question["fault"]))
            case "set-faults":
                self._faults.set_all(read_fault_file(Path(question["file"])))
            case "schedule":
                return self._follow_schedule(int(question["seed"]))
            case "clear-fault":
                request = parse_fault(question["fault"])
                return {"cleared": self._faults.clear(request.name, request.target)}
            case "faults":
                return self._describe_faults()
            case "begin-step":
                self._faults.begin_step(question["step"])
            case unknown:
                return {"error": f"unknown question: `{unknown}`"}
        return {"ok": True}

    def _follow_schedule(self, seed: int) -> Answer:
        """Set what a seed makes, and keep it in a file beside the socket's world."""
        requests = self._faults.make_schedule(seed)
        file = self._folder / f"faults-of-seed-{seed}.yaml"
        write_fault_file(file, requests, note=f"The schedule of --fault-seed {seed}")
        self._faults.set_all(requests)
        return {"faults": [str(request) for request in requests], "file": str(file)}

    def _describe_faults(self) -> Answer:
        return {
            "on": [str(request) for request in self._faults.list_on()],
            "waiting": [
                {"fault": str(request), "step": request.step}
                for request in self._faults.list_waiting()
            ],
            "known": [
                {"name": fault.name, "target": describe_target(fault), "does": fault.does}
                for fault in FAULTS
            ],
        }

    def _describe_ledger(self) -> Answer:
        waits = self._ledger.waits
        chain = find_longest_chain(waits)
        return {
            "acts": dict(self._ledger.acts),
            "waits": [asdict(wait) for wait in waits],
            "chain": [asdict(wait) for wait in chain],
            "speed": self._clock.speed,
            "elapsed_s": self._clock.elapsed_s(),
        }


def _describe(error: Exception) -> Answer:
    """Return the words of an error that has a hint as they are; of another, of which sort it is."""
    notes = getattr(error, "__notes__", [])
    if notes:
        return {"error": str(error), "hint": notes[0].removeprefix("hint: ")}
    return {"error": f"{type(error).__name__}: {error}"}
