"""`lab.up`, `lab.down`, `lab.status`, `lab.fault`: a lab left standing, to play with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lifecycle.cli.console import Terminal, open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.lab import StandingLab
from lifecycle.cli.options import Arguments, read_cluster, read_settings
from lifecycle.cli.requests import ClusterRequest
from lifecycle.clock import SystemClock
from lifecycle.errors import PlanError
from lifecycle.secrets import Redactor
from lifecycle.store import ClusterState, FileLock
from lifecycle.store.paths import find_state_home

__all__ = ["lab_down", "lab_fault", "lab_status", "lab_up"]


def lab_up(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Start a lab, or find the one that stands; returns the exit code."""
    return _guard(arguments, environ, _bring_up)


def lab_down(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Stop a lab and forget its world; returns the exit code."""
    return _guard(arguments, environ, _take_down)


def lab_status(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Show whether a lab stands; returns the exit code."""
    return _guard(arguments, environ, _show)


def lab_fault(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Set, clear and list the faults of a lab that stands; returns the exit code."""

    def switch(state: ClusterState, _: ClusterRequest, terminal: Terminal) -> None:
        _switch_faults(state, arguments, terminal)

    return _guard(arguments, environ, switch)


Command = Callable[[ClusterState, ClusterRequest, Terminal], None]


def _guard(arguments: Arguments, environ: Mapping[str, str], command: Command) -> int:
    terminal = open_terminal(environ, is_json=arguments.json)

    def guarded() -> int:
        from lifecycle.cli.place import find_state  # noqa: PLC0415 (start-up)

        target = read_cluster(arguments, environ)
        state = find_state(read_settings(arguments, environ), target)
        state.create()
        command(state, target, terminal)
        return 0

    crash_log = find_state_home(environ) / "crash.log"
    return run_guarded(guarded, terminal=terminal, redactor=Redactor(), crash_log=crash_log)


def _bring_up(state: ClusterState, target: ClusterRequest, terminal: Terminal) -> None:
    from lifecycle.cli.lab import find_lab  # noqa: PLC0415 (start-up)
    from lifecycle.cli.place import open_site  # noqa: PLC0415 (start-up)

    if find_lab(state) is None:
        terminal.say("lab: starting")
        with _lock(state):
            site = open_site(state, target)
    else:
        site = open_site(state, target)
    site.tell(terminal.say)
    _show(state, target, terminal)


def _take_down(state: ClusterState, _target: ClusterRequest, terminal: Terminal) -> None:
    from lifecycle.cli.lab import stop_lab  # noqa: PLC0415 (start-up)

    with _lock(state):
        was_standing = stop_lab(state)
    terminal.say("lab: stopped" if was_standing else "lab: none was standing")
    terminal.print_json({"standing": False, "stopped": was_standing})


def _show(state: ClusterState, _target: ClusterRequest, terminal: Terminal) -> None:
    from lifecycle.cli.lab import find_lab, value_of_lab  # noqa: PLC0415 (start-up)

    lab = find_lab(state)
    if lab is None:
        terminal.say("lab: none stands; `invoke lab.up` starts it")
        terminal.print_json({"standing": False})
        return
    terminal.print_json(value_of_lab(lab, state))
    machines = [f"{declared} at {dialled}" for declared, dialled in lab.addresses.items()]
    terminal.show_facts(
        [
            ("lab", f"process {lab.pid}, {lab.speed:g} times as fast as the wall clock"),
            ("cluster", lab.cluster),
            ("repository", str(lab.repo)),
            ("kubernetes", lab.kubernetes or "the lab's own"),
            *(("address", machine) for machine in machines),
            *_describe_use(lab, state),
        ]
    )


def _switch_faults(state: ClusterState, arguments: Arguments, terminal: Terminal) -> None:
    from lifecycle.cli.lab import find_lab  # noqa: PLC0415 (start-up)
    from lifecycle.cli.lab_faults import (  # noqa: PLC0415 (start-up)
        clear_faults,
        list_faults,
        set_faults,
    )

    lab = find_lab(state)
    if lab is None:
        raise PlanError("no lab stands", hint="start it with `invoke lab.up`")
    if arguments.cleared:
        terminal.say(f"cleared: {clear_faults(lab.control, arguments.cleared)}")
    set_faults(lab.control, arguments.faults)
    faults = list_faults(lab.control)
    terminal.print_json(faults.to_value())
    if arguments.is_known_shown:
        terminal.show_facts([(name, f"{target}: {does}") for name, target, does in faults.known])
        return
    facts = [("on", fault) for fault in faults.on]
    facts += [("waiting", fault) for fault, _ in faults.waiting]
    terminal.show_facts(facts or [("on", "nothing; `invoke lab.fault --known` lists the faults")])


def _describe_use(lab: StandingLab, state: ClusterState) -> list[tuple[str, str]]:
    """Say how to reach the cluster by hand: its files name the declared addresses."""
    if not state.kubeconfig.exists():
        return [("next", "`invoke bootstrap --lab` brings its cluster up")]
    dialled = next(iter(lab.addresses.values()), "")
    own = [folder / "talosctl" for folder in lab.path if (folder / "talosctl").exists()]
    talosctl = own[0] if own else "talosctl"
    return [
        ("kubectl", f"kubectl --kubeconfig {state.kubeconfig} --server https://{dialled}:6443"),
        ("talosctl", f"{talosctl} --talosconfig {state.talosconfig} -e {dialled} -n {dialled}"),
    ]


def _lock(state: ClusterState) -> FileLock:
    return FileLock(state.lock, cluster=state.folder.name, now=SystemClock().now())
