"""The lab's control socket: asks what happened, and makes things go wrong.

One JSON object a line in, one out. `{"do": "ledger"}` answers with counted acts and waits;
`{"do": "fault", "machine": NAME, "fault": FAULT, "on": true}` switches a fault of a machine; with
`pods` in place of `machine`, one of pods: a part of an image, or `namespace/prefix` of pods;
with `image`, a part of an installer's reference that its registry has or has not.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.ledger import Ledger, find_longest_chain
from lab.machines import Machines
from lab.registry import Registry

__all__ = ["Control"]

Answer: TypeAlias = "dict[str, object]"


class Control:
    """Serves one client after the other; each question is answered at once."""

    def __init__(
        self,
        path: Path,
        *,
        ledger: Ledger,
        clock: LabClock,
        machines: Machines,
        kubernetes: Kubernetes,
        registry: Registry,
    ) -> None:
        self._path = path
        self._ledger = ledger
        self._clock = clock
        self._machines = machines
        self._kubernetes = kubernetes
        self._registry = registry
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
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()

    def _answer(self, line: bytes) -> Answer:
        try:
            question = json.loads(line)
            match question["do"]:
                case "ledger":
                    return self._describe_ledger()
                case "fault":
                    is_on = bool(question.get("on", True))
                    if "image" in question:
                        self._registry.set_absent(question["image"], on=is_on)
                    elif "pods" in question:
                        self._kubernetes.set_fault(question["pods"], question["fault"], on=is_on)
                    else:
                        self._machines[question["machine"]].set_fault(question["fault"], on=is_on)
                    return {"ok": True}
                case unknown:
                    return {"error": f"unknown question: `{unknown}`"}
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

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
