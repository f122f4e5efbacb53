"""Expressions in CEL, as Flux compiles and evaluates them (fluxcd/pkg `runtime/cel`).

`healthCheckExprs` are only parsed: a name that the object does not have is an error of its
evaluation. `readyExpr` is type-checked with its two variables. What CEL's C++ implementation says
is put into the words of the Go one, which stand in the status of Flux's objects.

The implementation is a wheel of 17 MB (50 MB on disk) that the extra `lab` brings; it is loaded
with the first expression (about 15 ms).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Protocol

from inventory.cel_patterns import explain_pattern, list_patterns

__all__ = [
    "CelError",
    "Expression",
    "can_compile",
    "compile_condition",
    "parse_expression",
]

_STRUCT: Final = "google.protobuf.Struct"
_WRAPPED: Final = re.compile(r"\A[A-Z_]+: (?P<said>.*?)(?: \[[A-Z_]+\])?\Z", re.DOTALL)
_MISSING_NAME: Final = re.compile(r'No value with name "(?P<name>[^"]+)" found in Activation')
_LONELY_CALL: Final = re.compile(r"No matching overloads found : (?P<name>[A-Za-z]\w*)\(")
_TEXTS: Final = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
# What the C++ implementation says, and how the Go one says it.
_WORDS: Final = (
    (re.compile(r'Key not found in map : "?(?P<name>[^"]*)"?'), "no such key: {name}"),
    (re.compile(r"No matching overloads found"), "no such overload"),
    (re.compile(r"divide by zero"), "division by zero"),
    (re.compile(r"Index error: index=(?P<name>-?\d+) size=\d+"), "index out of bounds: {name}"),
    (
        re.compile(r"cannot convert (?P<name>\w+) to (?P<into>\w+)"),
        "type conversion error from '{name}' to '{into}'",
    ),
    (
        re.compile(r"String to (?P<into>\w+) conversion failed"),
        "type conversion error from 'string' to 'google.protobuf.{into}'",
    ),
)
_BAD_PATTERN: Final = "invalid regular expression: "
_REWORDED: Final = {"has() argument must be a field selection": "invalid argument to has() macro"}


class CelError(ValueError):
    """An expression does not compile, or has no value for an object; the text is Flux's."""


class _Type(Protocol):
    def name(self) -> str: ...


class _Value(Protocol):
    def type(self) -> _Type: ...

    def value(self) -> object: ...


class _Compiled(Protocol):
    def eval(self, *, data: Mapping[str, object]) -> _Value: ...

    def return_type(self) -> _Type: ...


class _Environment(Protocol):
    def compile(self, expression: str, *, disable_check: bool) -> _Compiled: ...


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    _compiled: _Compiled

    def decide(self, data: Mapping[str, object]) -> bool:
        """Evaluate with variables that are JSON values.

        Raises:
            CelError: it cannot be evaluated, or is no truth value.
        """
        value = self._compiled.eval(data=data)
        kind = value.type().name()
        try:
            result = value.value()
        except TypeError:  # an optional value has no Python counterpart, and calls itself an error
            kind, result = "OPTIONAL", None
        if kind == "ERROR":
            said = _explain_value(self.text, str(result))
            raise CelError(f"failed to evaluate the CEL expression '{self.text}': {said}")
        if kind != "BOOL":
            raise CelError(f"failed to evaluate CEL expression as boolean: '{self.text}'")
        return result is True


@cache
def can_compile() -> bool:
    """Tell whether an implementation of CEL is installed."""
    try:
        _make_environment()
    except ModuleNotFoundError:
        return False
    return True


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> Expression:
    """Parse an expression of `healthCheckExprs`, whose variables are an object's fields.

    Raises:
        CelError: it is no expression.
    """
    compiled = _compile(_make_environment(), text, is_checked=False)
    _check_patterns(text)
    return Expression(text, compiled)


@lru_cache(maxsize=1024)
def compile_condition(text: str, *variables: str) -> Expression:
    """Compile an expression about `variables` (structures), such as `readyExpr`.

    Raises:
        CelError: it is no expression, names something else, or is no truth value.
    """
    compiled = _compile(_make_environment(*variables), text, is_checked=True)
    kind = compiled.return_type().name().lower()
    if kind != "bool":
        raise CelError(f"CEL expression output type mismatch: expected bool, got {kind}")
    _check_patterns(text)
    return Expression(text, compiled)


def _compile(environment: _Environment, text: str, *, is_checked: bool) -> _Compiled:
    try:
        return environment.compile(text, disable_check=not is_checked)
    except RuntimeError as wrong:  # the only type that the library raises
        found = _WRAPPED.match(str(wrong))
        said = found["said"] if found else str(wrong)
        for ours, theirs in _REWORDED.items():
            said = said.replace(ours, theirs)
        raise CelError(f"failed to parse the CEL expression '{text}': {said}") from None


def _check_patterns(text: str) -> None:
    """Compile the patterns that `matches` is given, as Flux does with the program.

    Raises:
        CelError: one is no regular expression.
    """
    for literal in list_patterns(text) if "matches" in text else ():
        tried = _make_environment().compile(f"''.matches({literal})", disable_check=True)
        value = tried.eval(data={})
        if value.type().name() == "ERROR":
            found = _WRAPPED.match(str(value.value()))
            said = (found["said"] if found else "").removeprefix(_BAD_PATTERN)
            raise CelError(f"failed to create CEL program: {explain_pattern(said)}")


def _explain_value(text: str, said: str) -> str:
    found = _WRAPPED.match(said)
    said = found["said"] if found else said
    if missing := _MISSING_NAME.search(said):
        return f"no such attribute(s): {_find_attribute(text, missing['name'])}"
    if (call := _LONELY_CALL.search(said)) and not call["name"].startswith("_"):
        return f"no such overload: {call['name']}"
    if said == "Applying SELECT to non-message type":
        return _explain_selection(text)
    if said.startswith(_BAD_PATTERN):
        return explain_pattern(said.removeprefix(_BAD_PATTERN))
    for pattern, words in _WORDS:
        if found := pattern.search(said):
            return words.format(**found.groupdict())
    return said


def _find_attribute(text: str, name: str) -> str:
    """Return the first chain of fields that begins with `name`; a call at its end is none."""
    chain = rf"(?<![\w.]){re.escape(name)}(?:\.\w+\b(?!\s*\())*"
    found = re.search(chain, _TEXTS.sub("''", text))
    return found[0] if found else name


def _explain_selection(text: str) -> str:
    """Guess the field that was looked for in what has none: the last of the longest chain."""
    chains = re.findall(r"[A-Za-z_]\w*(?:\.\w+\b(?!\s*\())+", _TEXTS.sub("''", text))
    longest: str = max(reversed(chains), key=lambda chain: chain.count("."), default="")
    return f"no such key: {longest.rpartition('.')[2]}"


@cache
def _make_environment(*variables: str) -> _Environment:
    from cel_expr_python import cel  # noqa: PLC0415  only who has an expression pays for it
    from cel_expr_python.ext import (  # noqa: PLC0415  same
        ext_encoders,
        ext_optional,
        ext_strings,
    )

    kinds = cel.Type
    anything = kinds.List(kinds.DYN)
    sets = [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(
                    name.replace(".", "_"),
                    return_type=kinds.BOOL,
                    parameters=[anything, anything],
                    is_member=False,
                    impl=decide,
                )
            ],
        )
        for name, decide in _SETS.items()
    ]
    made: _Environment = cel.NewEnv(
        variables={name: kinds(_STRUCT) for name in variables},
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            ext_encoders.ExtEncoders(),
            cel.CelExtension("sets", sets),
        ],
    )
    return made


def _contains(whole: Sequence[object], part: Sequence[object]) -> bool:
    return all(item in whole for item in part)


def _is_equivalent(one: Sequence[object], other: Sequence[object]) -> bool:
    return _contains(one, other) and _contains(other, one)


def _intersects(one: Sequence[object], other: Sequence[object]) -> bool:
    return any(item in other for item in one)


# CEL's extension of Go that the C++ one has no Python door to.
_SETS: Final[Mapping[str, Callable[[Sequence[object], Sequence[object]], bool]]] = {
    "sets.contains": _contains,
    "sets.equivalent": _is_equivalent,
    "sets.intersects": _intersects,
}
