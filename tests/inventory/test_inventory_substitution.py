"""Flux' substitution grammar, as fluxcd/pkg envsubst evaluates it."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import Json, JsonObject, SubstitutionError, expand, substitute_object
from inventory.substitution import expand_known, references

VALUES = {"name": "World", "empty": "", "path": "/usr/local/bin", "abc": "ABCDEF", "n": "3"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("hello ${name}", "hello World"),
        ("${missing}", ""),
        ("$name and $", "$name and $"),
        ("$${name}", "${name}"),
        ("$$$${name}", "$${name}"),
        ("$$${name}", "$World"),
        ("5$$", "5$"),
        ("${missing:-default}", "default"),
        ("${empty:-default}", "default"),
        ("${missing:=a b}", "a b"),
        ("${missing=x}", "x"),
        ("${missing:?why}", "why"),
        ("${missing:+set}", "set"),
        ("${name:-default}", "World"),
        ("${missing:-${name}!}", "World!"),
        ("${missing:-}", ""),
        ("${missing:-$${name}}", "$World"),
        ("${#name}", "5"),
        ("${name^^}", "WORLD"),
        ("${name,,}", "world"),
        ("${name,}", "world"),
        ("${name:1}", "orld"),
        ("${name:1:3}", "orl"),
        ("${name:-3}", "World"),
        ("${name: -3}", "rld"),
        ("${name:9}", ""),
        ("${name/o/0}", "W0rld"),
        ("${path//\\//-}", "-usr-local-bin"),
        ("${name/#Wo/wo}", "world"),
        ("${name/%ld/LD}", "WorLD"),
        ("${path#/*/}", "local/bin"),
        ("${path##*/}", "bin"),
        ("${path%/*}", "/usr/local"),
        ("${path%%/*}", ""),
        ("a${name}b${name}c", "aWorldbWorldc"),
        ("${ünïcode}", ""),
    ],
)
def test_reference_is_evaluated(text: str, result: str) -> None:
    """Each form of the grammar yields what Flux writes."""
    assert result == expand(text, VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${}",
        "${.Values}",
        "${name",
        "${name-x}",
        "${name!}",
        "${name/a",
        "${a:-${b}",
        "${ x }",
    ],
)
def test_malformed_reference_fails(text: str) -> None:
    """Text that envsubst refuses is refused, with the place where it starts."""
    with pytest.raises(SubstitutionError) as caught:
        expand("xx" + text, VALUES)

    assert caught.value.offset >= 2


def test_deep_nesting_is_refused() -> None:
    """References inside references end somewhere."""
    with pytest.raises(SubstitutionError, match="too deep"):
        expand("${a:-" * 500, {})


@pytest.mark.parametrize(
    ("written", "applied"),
    [
        ("${n}", 3),
        ("${empty}", None),
        ("v${n}", "v3"),
        ("- ${n}", "- 3"),
        ("${name}: ${n}", "World: 3"),
        ("${bool}", True),
        ("line\n${n}", "line\n3"),
    ],
)
def test_plain_scalars_change_type(written: str, applied: Json) -> None:
    """Flux substitutes in YAML text: what was written plainly is read again."""
    values = {**VALUES, "bool": "true"}
    value: JsonObject = {"kind": "A", "spec": {"x": written}}

    assert {"kind": "A", "spec": {"x": applied}} == substitute_object(value, values)


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_objects_may_opt_out(field: str) -> None:
    """A label or annotation keeps Flux from touching an object."""
    value: JsonObject = {
        "metadata": {field: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}},
        "data": {"script": "${name} ${not valid"},
    }

    assert value == substitute_object(value, VALUES)


def test_nothing_happens_without_variables() -> None:
    """Flux leaves objects alone when there is no variable at all."""
    assert {"a": "${name"} == substitute_object({"a": "${name"}, {})


def test_unknown_names_can_be_kept() -> None:
    """Names whose value cannot be read stay visible."""
    assert "World ${secret} d" == expand_known("${name} ${secret} ${other:-d}", VALUES)


def test_references_are_listed_with_those_inside() -> None:
    """Names in defaults count too, and escaped ones do not."""
    found = [(r.name, r.has_default) for r in references("$${no} ${a:-${b}} ${c}")]

    assert [("a", True), ("b", False), ("c", False)] == found


@given(st.text())
@settings(max_examples=150, deadline=None)
def test_text_without_dollar_is_unchanged(text: str) -> None:
    """Only a dollar means something."""
    plain = text.replace("$", "")

    assert plain == expand(plain, VALUES)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_escaped_text_comes_out_as_written(text: str) -> None:
    """Doubling every dollar protects any text."""
    assert text == expand(text.replace("$", "$$"), VALUES)


@given(
    st.lists(
        st.sampled_from(["$", "{", "}", "${", ":-", "/", "#", "%", "a", "_", "^", "\\", ":", "$$"])
    )
)
@settings(max_examples=150, deadline=None)
def test_any_heap_of_signs_is_survived(parts: list[str]) -> None:
    """Expanding either works or says why not; nothing else is raised."""
    with suppress(SubstitutionError):
        expand("".join(parts), {"a": "va/lue", "_": "$x*"})


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), st.text(max_size=5), max_size=4)
)
@settings(max_examples=200, deadline=None)
def test_plain_references_are_replaced_by_their_values(values: dict[str, str]) -> None:
    """A list of references yields the list of values, whatever the values hold."""
    text = "|".join("${" + name + "}" for name in values)

    assert "|".join(values.values()) == expand(text, values)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${path#*/}", "usr/bin"),
        ("${path##*/}", "bin"),
        ("${path%/*}", "/usr"),
        ("${path%%/*}", ""),
        ("${path#/[tuv]?r}", "/bin"),
        ("${path%%b*n}", "/usr/"),
        ("${path#**/}", "usr/bin"),
        ("${path#no*}", "/usr/bin"),
        ("${path#[a--z]}", "/usr/bin"),
        ("${path#[}", "/usr/bin"),
        ("${path#[--z]}", "usr/bin"),
    ],
)
def test_trimming_finds_shortest_and_longest(text: str, result: str) -> None:
    """One sign takes the shortest end that fits the pattern, two the longest."""
    assert result == expand(text, {"path": "/usr/bin"})


@pytest.mark.parametrize("sign", ["#", "##", "%", "%%"])
def test_trimming_takes_time_by_the_text_alone(sign: str) -> None:
    """A pattern that fits in more ways than anybody can count is followed once."""
    value = "a" * 4000
    began = time.process_time()

    assert value == expand("${x" + sign + "*a" * 1000 + "*b}", {"x": value})
    assert time.process_time() - began < 1
