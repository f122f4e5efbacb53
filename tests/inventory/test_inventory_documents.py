"""The YAML reader: what Go's tools read, at which place, and nothing that breaks it."""

from __future__ import annotations

import json
import re
import time

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inventory import Json
from inventory.documents import MAX_DEPTH, parse_documents
from inventory.scalars import resolve_scalar


def read(text: str) -> Json:
    """Return the value of the first document."""
    documents, problems = parse_documents("x.yaml", text)
    assert problems == []
    return documents[0].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("~", None),
        ("", None),
        ("2001-01-01", "2001-01-01"),
        ("12:30:45", "12:30:45"),
        ("0777", 511),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("+5", 5),
        ("-0", 0),
        ("08", 8.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.10.6", "1.10.6"),
        ("v1.2", "v1.2"),
        ("=", "="),
        (".inf", ".inf"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("9" * 5000, "9" * 5000),
        ("${VIP}", "${VIP}"),
    ],
)
def test_plain_scalars_mean_what_go_reads(text: str, value: Json) -> None:
    """Booleans are true and false only, there are no dates, and no base 60."""
    assert value == resolve_scalar(text)


def test_quoted_scalars_stay_text() -> None:
    """Quotes keep numbers and booleans from being read as such."""
    assert {"a": "1", "b": "true", "c": "~"} == read("a: \"1\"\nb: 'true'\nc: !!str ~\n")


def test_merge_keys_fill_in_what_is_absent() -> None:
    """Own keys win over merged ones, and earlier merged mappings over later ones."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], a: 3}\n"

    assert {"a": 3, "b": 1, "c": 2} == dict(read(text)["z"])  # type: ignore[index,call-overload,arg-type]


def test_duplicate_keys_are_problems_with_a_place() -> None:
    """A key that occurs twice is refused by Go's tools, so it is reported where it stands."""
    _, problems = parse_documents("x.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n")

    assert [("duplicate key: `c`", 4, 3)] == [tuple(problem) for problem in problems]


def test_documents_before_a_broken_one_are_kept() -> None:
    """A syntax error is reported and what came before it is returned."""
    documents, problems = parse_documents("x.yaml", "a: 1\n---\nb: [\n")

    assert [{"a": 1}] == [document.value for document in documents]
    assert len(problems) == 1
    assert problems[0].line >= 3


def test_empty_documents_are_left_out() -> None:
    """Comments and separators alone are no documents, and positions start at the content."""
    documents, _ = parse_documents("x.yaml", "# only a comment\n---\n---\n# more\nkind: A\n---\n")

    assert [({"kind": "A"}, 5, 1)] == [(d.value, d.line, d.column) for d in documents]


def test_values_are_located() -> None:
    """Any value is found again by its keys; a missing one by its deepest parent."""
    documents, _ = parse_documents(
        "f.yaml", "---\nx: 1\n---\nspec:\n  items:\n    - name: a\n    - b\n"
    )
    document = documents[1]

    assert "f.yaml:6:13" == str(document.locate("spec", "items", 0, "name"))
    assert "f.yaml:7:7" == str(document.locate("spec", "items", 1))
    assert "f.yaml:5:3" == str(document.locate("spec", "absent"))
    assert [(6, 7), (7, 7)] == [(p.line, p.column) for p in document.locate_items("spec", "items")]


def test_values_looked_up_often_have_the_same_places() -> None:
    """A text that many findings are about is read once; where things are does not change."""
    text = "---\na: {b: [c, {d: e}]}\n---\nf:\n  - g\n"
    [first, second] = parse_documents("f.yaml", text)[0]
    places = [
        (
            str(first.locate("a", "b", 1, "d")),
            str(first.locate("a", "x")),
            str(second.locate("f", 0)),
        )
        for _ in range(3)
    ]

    assert {("f.yaml:2:16", "f.yaml:2:4", "f.yaml:5:5")} == set(places)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, MAX_DEPTH + 50)),
        "a: &a [*a]",
        "a: *unknown",
        "? [a]\n: b",
        "x: \x00",
        "\udcff",
        "%YAML 9.9\n---\na: 1",
        "a: 'unclosed",
        "\t- a",
        "!!python/object:os.system x",
    ],
)
def test_hostile_text_is_a_problem_not_a_crash(text: str) -> None:
    """Deep nesting, recursion and junk neither raise nor take the process down."""
    parse_documents("x.yaml", text)


def test_alias_bombs_are_refused() -> None:
    """A document that grows a thousandfold when its aliases are followed is a problem."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    _, problems = parse_documents("x.yaml", "\n".join(lines))

    assert ["document is too large once its aliases are followed"] == [p.message for p in problems]


def test_long_files_are_read_in_time() -> None:
    """A file of 100,000 lines takes a few seconds at most on a busy machine."""
    text = "".join(f"key{number}: value {number}\n" for number in range(100_000))
    start = time.process_time()
    documents, problems = parse_documents("x.yaml", text)
    elapsed_s = time.process_time() - start

    assert problems == []
    assert len(dict(documents[0].value)) == 100_000  # type: ignore[arg-type]
    assert elapsed_s < 10


# YAML refuses control characters and byte order marks that JSON allows.
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=12
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


# Numbers of YAML 1.2, which PyYAML takes for text and so writes without quotes: 0E0, 0o7.
_NEWER_NUMBER = re.compile(r"(?<![\w'\"])[-+]?(?:\.?[0-9][0-9.]*[eE][-+]?[0-9]+|0o[0-7]+)\b")


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_json_is_read_back(value: Json) -> None:
    """Whatever JSON text holds is read back the same: YAML contains JSON."""
    text = json.dumps({"value": value}, ensure_ascii=False)
    documents, problems = parse_documents("x.yaml", text)

    assert problems == []
    assert {"value": value} == documents[0].value


@given(st.text())
@settings(max_examples=150, deadline=None)
def test_any_text_is_survived(text: str) -> None:
    """No text raises."""
    parse_documents("x.yaml", text)


@given(st.lists(st.sampled_from(list("[]{}:,-&*!|>'\"%@`#?\n \tab01<")), max_size=60).map("".join))
@settings(max_examples=200, deadline=None)
def test_yaml_like_text_is_survived(text: str) -> None:
    """No heap of indicators raises, and finding positions in it does not either."""
    documents, _ = parse_documents("x.yaml", text)

    for document in documents:
        document.locate("a", 0, "b")
        document.locate_items("a")


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_values_agree_with_the_safe_loader(value: Json) -> None:
    """What PyYAML writes for plain JSON values is read back as it was meant."""
    text = yaml.safe_dump({"value": value}, allow_unicode=True)
    assume(not _NEWER_NUMBER.search(text))
    documents, problems = parse_documents("x.yaml", text)

    assert problems == []
    assert {"value": value} == documents[0].value
