"""The pages of errors and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from ci.docs.markdown import first_sentence, make_prose, make_table
from lifecycle.cli.plan import SOMETHING_TO_DO
from lifecycle.errors import LifecycleError

__all__ = ["find_errors", "make_errors", "make_exit_codes"]


def find_errors() -> list[type[LifecycleError]]:
    """Return every class of the tree, each before its children."""
    return [error for error, _ in _walk(LifecycleError, 0)]


def make_errors() -> str:
    """Return the page of errors."""
    head = (
        "# Errors\n\n"
        "An error is one line that begins with what failed, and often a second one, `hint:`, with"
        " what to run next.\n"
        "With `--json`, stdout holds `kind` (a class of this page), `message`, `hint` and"
        " `exit_code`.\n"
        "[Exit codes](exit-codes.md) has the codes by number.\n\n"
    )
    tree = "".join(f"{'  ' * depth}- [{e.__name__}](#{_anchor(e)})\n" for e, depth in _tree())
    return head + tree + "".join(_describe(error) for error, _ in _tree())


def make_exit_codes() -> str:
    """Return the page of exit codes."""
    rows = [("0", "Done, or nothing to do.", "")]
    for code in sorted({error.exit_code for error in find_errors()} | {SOMETHING_TO_DO}):
        if code == SOMETHING_TO_DO:
            rows.append(
                (
                    str(code),
                    "`plan`: something is to do; `validate`: the worst open finding is a warning.",
                    "",
                )
            )
            continue
        roots = [e for e in find_errors() if "exit_code" in vars(e) and e.exit_code == code]
        why = " ".join(_describe_code(error) for error in roots)
        links = ", ".join(f"[{e.__name__}](errors.md#{_anchor(e)})" for e in roots)
        rows.append((str(code), why, links))
    return (
        "# Exit codes\n\n"
        "A run that fails ends with the code of its first failure.\n\n"
        + make_table(("code", "meaning", "errors"), rows)
    )


def _describe_code(error: type[LifecycleError]) -> str:
    if error is LifecycleError:
        return "Any other failure, a bug of ours included."
    return first_sentence(error.__doc__).removeprefix("Raised ").capitalize()


def _describe(error: type[LifecycleError]) -> str:
    own = [
        f"`{name}`"
        for name in inspect.signature(error.__init__).parameters
        if name not in {"self", "message", "hint", "args", "kwargs"}
    ]
    lines = [f"- Exit code: {error.exit_code}."]
    if own:
        lines.append(f"- Fields: {', '.join(own)}.")
    listed = "\n".join(lines)
    return f"\n## {error.__name__}\n\n{make_prose(error.__doc__)}\n\n{listed}\n"


def _tree() -> list[tuple[type[LifecycleError], int]]:
    return list(_walk(LifecycleError, 0))


def _walk(error: type[LifecycleError], depth: int) -> Iterator[tuple[type[LifecycleError], int]]:
    yield error, depth
    for child in error.__subclasses__():
        if child.__module__ == LifecycleError.__module__:
            yield from _walk(child, depth + 1)


def _anchor(error: type[LifecycleError]) -> str:
    return error.__name__.lower()
