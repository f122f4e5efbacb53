"""A file of several faults, in YAML: read with places, and written for a replay.

```yaml
faults:
  - two-disks:worker-1            # as on the command line
  - fault: silent                 # or in parts; all but the name may be left out
    target: worker-1
    seconds: 30                   # or step: install-flux
    lasting: 60
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

import yaml

from lab.faults.request import FaultRequest, parse_fault
from lab.faults.values import FaultError

__all__ = ["read_fault_file", "write_fault_file"]

_KEYS = ("fault", "target", "step", "seconds", "lasting")
_EXAMPLE = "write `faults:` and below it a list, for example `- silent:worker-1@30`"


def read_fault_file(path: Path) -> tuple[FaultRequest, ...]:
    """Read the faults of a file.

    Raises:
        FaultError: it cannot be read, or holds something else; with file, line and column.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        message = f"file of faults cannot be read: `{path}`: {why}"
        raise FaultError(message, hint=f"see `ls -l {path}`") from error
    except yaml.MarkedYAMLError as error:
        place = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        message = f"file of faults is not YAML: {place}: {error.problem}"
        raise FaultError(message, hint=_EXAMPLE) from error
    return tuple(_read_item(path, item) for item in _list_items(path, root))


def write_fault_file(path: Path, faults: Iterable[FaultRequest], *, note: str) -> None:
    """Write faults so that `read_fault_file` reads the same; `note` is one line of comment."""
    lines = [f"# {note}", "faults:", *(f'  - "{fault}"' for fault in faults)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _list_items(path: Path, root: yaml.Node | None) -> list[yaml.Node]:
    if root is None:
        raise FaultError(f"file of faults is empty: `{path}`", hint=_EXAMPLE)
    if not isinstance(root, yaml.MappingNode):
        raise _refuse(path, root, "file of faults is no mapping", _EXAMPLE)
    items: list[yaml.Node] = []
    for key, value in root.value:
        if key.value != "faults":
            raise _refuse(path, key, f"key is unknown: `{key.value}`", "there is: faults")
        if not isinstance(value, yaml.SequenceNode):
            raise _refuse(path, value, "`faults` is no list", _EXAMPLE)
        items += value.value
    return items


def _read_item(path: Path, item: yaml.Node) -> FaultRequest:
    text = "".join(_write_parts(path, item)) if isinstance(item, yaml.MappingNode) else item.value
    if not isinstance(text, str):
        raise _refuse(path, item, "fault is neither a text nor a mapping", _EXAMPLE)
    try:
        return parse_fault(text)
    except FaultError as error:
        hint = error.__notes__[0].removeprefix("hint: ")
        raise _refuse(path, item, str(error), hint) from error


def _write_parts(path: Path, item: yaml.MappingNode) -> Iterator[str]:
    """Write what is given in parts as the command line has it."""
    parts: dict[str, str] = {}
    for key, value in item.value:
        if key.value not in _KEYS:
            near = get_close_matches(key.value, _KEYS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(_KEYS)}"
            raise _refuse(path, key, f"key is unknown: `{key.value}`", hint)
        if not isinstance(value, yaml.ScalarNode) or not value.value:
            raise _refuse(path, value, f"`{key.value}` is no text or number", _EXAMPLE)
        parts[key.value] = value.value
    if "fault" not in parts:
        raise _refuse(path, item, "fault has no name", "add `fault: NAME`")
    if "step" in parts and "seconds" in parts:
        raise _refuse(path, item, "fault has a step and seconds", "keep one of the two")
    yield parts["fault"]
    yield from (f":{parts[key]}" for key in ("target",) if key in parts)
    yield from (f"@{parts[key]}" for key in ("step", "seconds") if key in parts)
    yield from (f"+{parts[key]}" for key in ("lasting",) if key in parts)


def _refuse(path: Path, node: yaml.Node, message: str, hint: str) -> FaultError:
    mark = node.start_mark
    return FaultError(f"{path}:{mark.line + 1}:{mark.column + 1}: {message}", hint=hint)
