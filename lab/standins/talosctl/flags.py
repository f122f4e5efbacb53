"""Command-line flags as spf13/pflag takes them, with its error texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lab.standins.talosctl.failure import CommandError

__all__ = ["Flag", "FlagSet", "Parsed", "find_command", "parse", "parse_duration_s"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRUE, _FALSE = frozenset({"true", "1", "t"}), frozenset({"false", "0", "f"})


class Flag(NamedTuple):
    """One flag; `kind` is `bool`, `text`, `slice` (commas split) or `array` (they do not)."""

    name: str
    kind: str = "text"
    short: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()


class FlagSet:
    """The flags of one command."""

    def __init__(self, flags: Sequence[Flag]) -> None:
        self.by_name: Mapping[str, Flag] = {item.name: item for item in flags}
        self.by_short: Mapping[str, Flag] = {item.short: item for item in flags if item.short}


class Parsed:
    """What a command line says: flags by name, and the words between them."""

    def __init__(self, flags: FlagSet) -> None:
        self.flags = flags
        self.values: dict[str, list[str]] = {}
        self.words: list[str] = []

    def text(self, name: str) -> str:
        """The last value given, or the flag's default."""
        given = self.values.get(name)
        return given[-1] if given else self.flags.by_name[name].default

    def texts(self, name: str) -> list[str]:
        """All values of a `slice` or `array` flag."""
        given = self.values.get(name, [])
        if self.flags.by_name[name].kind == "array":
            return list(given)
        return [part for item in given for part in item.split(",") if part]

    def is_set(self, name: str) -> bool:
        """The value of a `bool` flag."""
        return self.text(name) in _TRUE

    def has(self, name: str) -> bool:
        """Whether the command has a `bool` flag of that name, and it is set."""
        return name in self.flags.by_name and self.is_set(name)

    def was_given(self, name: str) -> bool:
        """Whether the flag was on the command line at all."""
        return name in self.values


def parse_duration_s(text: str) -> float:
    """Read Go's duration, such as `1m30s`, in seconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise CommandError(f'time: invalid duration "{text}"')
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def parse(flags: FlagSet, argv: Sequence[str]) -> Parsed:
    """Read a command line.

    Raises:
        CommandError: In pflag's words.
    """
    parsed = Parsed(flags)
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if word == "--":
            parsed.words += queue
            break
        if word.startswith("--"):
            _take_long(parsed, word, queue)
        elif word.startswith("-") and word != "-":
            _take_short(parsed, word, queue)
        else:
            parsed.words.append(word)
    return parsed


def find_command(argv: Sequence[str]) -> int:
    """Find the position of the first word that is no flag and no flag's value, -1 when none.

    Cobra takes every flag before the command for one that has a value in the next word, since the
    root command knows none of them.
    """
    position = 0
    while position < len(argv):
        word = argv[position]
        if not word.startswith("-") or word == "-":
            return position
        position += 1 if "=" in word else 2
    return -1


def _take_long(parsed: Parsed, word: str, queue: list[str]) -> None:
    name, equals, value = word[2:].partition("=")
    flag = parsed.flags.by_name.get(name)
    if flag is None:
        raise CommandError(f"unknown flag: --{name}")
    if equals:
        _store(parsed, flag, value)
    elif flag.kind == "bool":
        _store(parsed, flag, "true")
    elif queue:
        _store(parsed, flag, queue.pop(0))
    else:
        raise CommandError(f"flag needs an argument: --{name}")


def _take_short(parsed: Parsed, word: str, queue: list[str]) -> None:
    letters = word[1:]
    while letters:
        flag = parsed.flags.by_short.get(letters[0])
        if flag is None:
            raise CommandError(f"unknown shorthand flag: '{letters[0]}' in {word}")
        rest = letters[1:]
        if flag.kind == "bool" and not rest.startswith("="):
            _store(parsed, flag, "true")
            letters = rest
            continue
        if rest:
            _store(parsed, flag, rest.removeprefix("="))
        elif queue:
            _store(parsed, flag, queue.pop(0))
        else:
            raise CommandError(f"flag needs an argument: '{letters[0]}' in {word}")
        return


def _store(parsed: Parsed, flag: Flag, value: str) -> None:
    for reason in _find_faults(flag, value):
        shown = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
        raise CommandError(f'invalid argument "{value}" for "{shown}" flag: {reason}')
    parsed.values.setdefault(flag.name, []).append(value)


def _find_faults(flag: Flag, value: str) -> Iterator[str]:
    if flag.kind == "bool" and value not in _TRUE | _FALSE:
        yield f'strconv.ParseBool: parsing "{value}": invalid syntax'
    if flag.choices and value not in flag.choices:
        yield f"possible options are: {', '.join(sorted(flag.choices))}"
