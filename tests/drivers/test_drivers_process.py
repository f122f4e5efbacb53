"""What the process door promises."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.errors import CommandFailedError, CommandTimedOutError, ToolMissingError
from lifecycle.secrets import Redactor, Secret
from tests.drivers.fakes import Stub

# Ignores TERM, starts a child that ignores it too, and says both numbers.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(f"{os.getpid()} {child}")
    os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


async def until_written(path: Path) -> str:
    """Wait for a file that a child writes."""
    for _ in range(1000):
        if path.exists():  # noqa: ASYNC240 - a small local file
            break
        await asyncio.sleep(0.01)
    return path.read_text()  # noqa: ASYNC240 - a small local file


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until_gone(pids: list[int]) -> bool:
    """Tell whether the processes disappear within a second."""
    for _ in range(100):
        if not any(is_running(pid) for pid in pids):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_output_and_exit_code_are_returned(runner: ProcessRunner, stub: Stub) -> None:
    """Both streams and the exit code come back apart from each other."""
    tool = stub("tool", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")

    completed = await runner.run([str(tool), "a b"], timeout_s=10, check=False)

    assert (completed.stdout, completed.stderr, completed.returncode) == (b"out\n", b"err\n", 3)


async def test_stdin_is_fed_and_closed(runner: ProcessRunner, stub: Stub) -> None:
    """A command that reads to the end of stdin gets all of it, also more than a pipe holds."""
    tool = stub("tool", "import sys; print(len(sys.stdin.buffer.read()))")

    completed = await runner.run([str(tool)], timeout_s=10, stdin=Secret(b"x" * 1_000_000))

    assert completed.stdout == b"1000000\n"


async def test_reader_that_leaves_early_is_no_error(runner: ProcessRunner, stub: Stub) -> None:
    """A command may ignore its stdin."""
    tool = stub("tool", "print('done')")

    completed = await runner.run([str(tool)], timeout_s=10, stdin=b"x" * 1_000_000)

    assert completed.stdout == b"done\n"


async def test_line_longer_than_a_buffer_is_kept(runner: ProcessRunner, stub: Stub) -> None:
    """A single line far past 64 KiB comes back whole."""
    tool = stub("tool", "print('x' * 500_000)")

    completed = await runner.run([str(tool)], timeout_s=10)

    assert len(completed.stdout) == 500_001


async def test_failure_carries_redacted_tails(stub: Stub, redactor: Redactor) -> None:
    """An error shows the command and the last lines of its output, never a secret value."""
    code = "import os, sys; print('key', os.environ['KEY']); sys.exit('bad ' + sys.argv[1])"
    tool = stub("tool", code)
    runner = ProcessRunner(Environment({}), redactor=redactor)

    with pytest.raises(CommandFailedError) as caught:
        await runner.run([str(tool), "hunter22"], timeout_s=10, env={"KEY": Secret("hunter22")})

    error = caught.value
    assert ((str(tool), "***"), "key ***", "bad ***") == (
        error.argv,
        error.stdout_tail,
        error.stderr_tail,
    )


async def test_missing_program_is_named(runner: ProcessRunner) -> None:
    """A program that does not exist is a missing tool, not an OSError."""
    with pytest.raises(ToolMissingError, match="no-such-tool"):
        await runner.run(["no-such-tool"], timeout_s=10)


async def test_timeout_ends_the_whole_group(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """A command that ignores TERM, and its child, are gone after the time is up."""
    tool = stub("tool", STUBBORN)
    pids = tmp_path / "pids"

    with pytest.raises(CommandTimedOutError):
        await runner.run([str(tool), str(pids)], timeout_s=0.5)

    numbers = [int(word) for word in (await until_written(pids)).split()]
    assert await until_gone(numbers)


async def test_cancel_ends_the_whole_group(
    runner: ProcessRunner, stub: Stub, tmp_path: Path
) -> None:
    """Cancelling the caller leaves neither the command nor its child behind."""
    tool = stub("tool", STUBBORN)
    pids = tmp_path / "pids"

    running = asyncio.create_task(runner.run([str(tool), str(pids)], timeout_s=60))
    numbers = [int(word) for word in (await until_written(pids)).split()]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await until_gone(numbers)


async def test_child_left_behind_by_a_success_is_ended(runner: ProcessRunner, stub: Stub) -> None:
    """A command that ends well but leaves a child on its pipes neither hangs nor leaks it."""
    code = "import os, time\nchild = os.fork()\nif child: print(child)\nelse: time.sleep(60)"
    tool = stub("tool", code)

    begun = time.monotonic()
    completed = await runner.run([str(tool)], timeout_s=30)

    assert time.monotonic() - begun < 10
    assert await until_gone([int(completed.stdout)])


async def test_too_much_output_is_an_error(stub: Stub, redactor: Redactor) -> None:
    """Output past the limit ends the command with an error, never with a cut value."""
    tool = stub("tool", "print('x' * 100_000)")
    runner = ProcessRunner(Environment({}), redactor=redactor, capture_limit=1000)

    with pytest.raises(CommandFailedError) as caught:
        await runner.run([str(tool)], timeout_s=10)

    assert caught.value.stderr_tail == "more than 1000 bytes of output"


async def test_lines_come_while_it_runs(runner: ProcessRunner, stub: Stub) -> None:
    """A streamed line arrives before the command ends, and leaving early ends the command."""
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    tool = stub("tool", code)

    async with aclosing(runner.lines([str(tool)], timeout_s=30)) as lines:
        first = await anext(lines)

    assert await until_gone([int(first)])


async def test_line_without_end_times_out(runner: ProcessRunner, stub: Stub) -> None:
    """A streamed command that says nothing more is ended, and its caller is not cancelled."""
    tool = stub("tool", "import time; print('one', flush=True); time.sleep(60)")
    seen: list[str] = []

    with pytest.raises(CommandTimedOutError):  # noqa: PT012 - the loop is the act
        async for line in runner.lines([str(tool)], timeout_s=0.4):
            seen.append(line)
            await asyncio.sleep(0.5)

    assert seen == ["one"]


async def test_lines_of_a_failing_command_end_in_its_error(
    runner: ProcessRunner, stub: Stub
) -> None:
    """The error of a streamed command comes after its last line, ended or not."""
    tool = stub("tool", "import sys; print('one\\ntwo', end=''); sys.exit('broken')")
    seen: list[str] = []

    with pytest.raises(CommandFailedError, match="broken"):  # noqa: PT012 - the loop is the act
        async for line in runner.lines([str(tool)], timeout_s=10):
            seen.append(line)  # noqa: PERF401 - the error ends the loop

    assert seen == ["one", "two"]


def test_environment_drops_proxies_and_foreign_clusters() -> None:
    """Children see neither proxies nor the user's own cluster configurations by default."""
    environ = {"HTTPS_PROXY": "p", "no_proxy": "n", "KUBECONFIG": "k", "HOME": "/h", "PATH": "/b"}

    environment = Environment.from_variables(environ, {"PATH": "/lab:/b"})

    assert environment.variables == {"HOME": "/h", "PATH": "/lab:/b"}
    assert environment.proxies == {"HTTPS_PROXY": "p", "no_proxy": "n"}


async def test_proxies_are_seen_only_on_request(stub: Stub, redactor: Redactor) -> None:
    """A command that goes to the internet is given the proxies, any other is not."""
    tool = stub("tool", "import os; print(os.environ.get('HTTPS_PROXY'))")
    runner = ProcessRunner(Environment({}, {"HTTPS_PROXY": "http://p"}), redactor=redactor)

    inside = await runner.run([str(tool)], timeout_s=10)
    outside = await runner.run([str(tool)], timeout_s=10, proxied=True)

    assert (inside.stdout, outside.stdout) == (b"None\n", b"http://p\n")


async def test_events_tell_of_each_command(stub: Stub, redactor: Redactor) -> None:
    """The listener hears of the start before the act and of the end with its exit code."""
    heard: list[tuple[str, str | int | float | None]] = []

    def listen(event: str, fields: Mapping[str, str | int | float]) -> None:
        heard.append((event, fields.get("returncode")))

    tool = stub("tool", "import sys; sys.exit(4)")
    runner = ProcessRunner(Environment(dict(os.environ)), redactor=redactor, listener=listen)

    await runner.run([str(tool)], timeout_s=10, check=False)

    assert heard == [("command.started", None), ("command.finished", 4)]


async def test_patient_children_give_way() -> None:
    """What is built ahead runs at a lower priority, also where sessions are scheduled as groups."""
    patient = ProcessRunner(Environment({}), redactor=Redactor(), niceness=7)
    # The line on stdin comes after the priority is set.
    script = "read x; cut -d' ' -f19 /proc/self/stat; cat /proc/self/autogroup 2>/dev/null || :"

    done = await patient.run(["/bin/sh", "-c", script], timeout_s=10, stdin=b"x\n")

    first, *rest = done.stdout.decode().splitlines()
    assert "7" == first
    assert all(line.endswith("nice 7") for line in rest)
