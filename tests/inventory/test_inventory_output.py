"""What is made of an inventory for people and programs: drawings, SARIF, accepted findings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from inventory import Edge, EdgeKind, Finding, Inventory, Layer, Position, Severity, Variables
from inventory.acceptance import AcceptanceError, judge, read_acceptances
from inventory.drawings import draw_mermaid, draw_svg, draw_text, find_excess
from inventory.rules import RULES, make_finding
from inventory.sarif import build_sarif, sarif_results

HERE = Position("a/b.yaml", 3, 5)
EDGES = (
    Edge("web", "db", EdgeKind.DEPENDS_ON, "needs <data>", HERE, is_declared=True),
    Edge("db", "disk", EdgeKind.CRD, "stores", HERE),
    Edge("disk", "db", EdgeKind.CRD, "is odd", HERE),
)
INVENTORY = Inventory(
    root="/",
    cluster="main",
    talos=None,
    variables=Variables((), {}, {}, {}),
    entries=(),
    layers=(
        Layer("apps", "apps", 90, ("web", 'a"&<b'), ()),
        Layer("system", "system", 20, ("db", "disk"), ()),
    ),
    components=(),
    releases=(),
    sources=(),
    findings=(),
    edges=EDGES,
)


def test_text_shows_order_reasons_and_cycles() -> None:
    """Layers come in bootstrap order, edges with their reasons, declared ones told apart."""
    wanted = (
        "system (rank 20)\n"
        "  db\n"
        "    --> disk !: stores\n"
        "  disk\n"
        "    --> db !: is odd\n"
        "apps (rank 90)\n"
        "  ~~> system: rank 90 comes after 20\n"
        "  web\n"
        "    ==> db: needs <data>\n"
        '  a"&<b\n'
    )

    assert wanted == draw_text(INVENTORY, EDGES)


def test_mermaid_escapes_names_and_marks_cycles() -> None:
    """Names cannot break out of their labels; dotted edges are inferred, red ones a cycle."""
    wanted = (
        "flowchart LR\n"
        '  subgraph layer0["system"]\n    n0["db"]\n    n1["disk"]\n  end\n'
        '  subgraph layer1["apps"]\n    n2["web"]\n    n3["a&quot;&amp;&lt;b"]\n  end\n'
        "  n0 -.-> n1\n  n1 -.-> n0\n  n2 --> n0\n"
        "  layer1 == rank ==> layer0\n"
        "  linkStyle 0,1 stroke:#c00,stroke-width:2px\n"
    )

    assert wanted == draw_mermaid(INVENTORY, EDGES)


def test_mermaid_takes_nothing_of_a_name_for_its_own() -> None:
    """`%%{init: {}}%%` would configure whoever draws it; seen with Mermaid 11."""
    layers = (Layer("%%{init: {}}%%", "apps", 90, ("`#35;`",), ()),)
    text = draw_mermaid(replace(INVENTORY, layers=layers), ())

    assert '["#37;#37;{init: {}}#37;#37;"]' in text
    assert '["#96;#35;35;#96;"]' in text


def test_drawing_that_mermaid_refuses_is_known() -> None:
    """It draws 500 edges, and 50,000 characters, unless whoever draws it says more."""
    few, many = "a --> b\n" * 500, "a --> b\n" * 501

    assert ("", "501 edges, and Mermaid draws 500") == (
        find_excess(few),
        find_excess(many),
    )
    assert find_excess("x" * 50_001).startswith("50001 characters")


def test_svg_is_a_picture_without_scripts() -> None:
    """The picture is well-formed, holds every component and edge, and nothing to load or run."""
    text = draw_svg(INVENTORY, EDGES)
    root = ET.fromstring(text)  # noqa: S314 - our own text
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    styles = [element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}path")]

    assert {"db", "disk", "web", 'a"&<b', "web -> db: needs <data>"} <= set(titles)
    assert 2 == styles.count("inferred cycle")
    assert "apps -> system: rank 90 comes after 20" in titles
    assert "script" not in text
    assert "href" not in text


@pytest.mark.parametrize("draw", [draw_text, draw_mermaid, draw_svg])
def test_control_characters_reach_no_drawing(
    draw: Callable[[Inventory, tuple[Edge, ...]], str],
) -> None:
    """A name may hold anything that YAML can escape; XML and terminals get none of it."""
    odd = "a\x1b[31m\x00\nb"
    layers = (Layer(f"apps{odd}", "apps", 90, (odd,), ()),)
    edges = (Edge(odd, "db", EdgeKind.CRD, odd, HERE),)
    text = draw(replace(INVENTORY, layers=layers), edges)

    assert not {"\x1b", "\x00"} & set(text)
    assert "a\ufffd[31m\ufffd\ufffdb" in text


def test_sarif_has_rules_places_and_stable_fingerprints() -> None:
    """Code hosts find each result's rule and line, and know it again when lines move."""
    finding = make_finding("disk-by-size-only", "chosen by size", HERE)
    moved = make_finding("disk-by-size-only", "chosen by size", Position("a/b.yaml", 9, 1))
    log = json.loads(json.dumps(build_sarif("1.0.0")))
    results = list(sarif_results([finding, moved], [finding], ["one disk each"]))
    [later] = json.loads(json.dumps(list(sarif_results([moved]))))
    run = log["runs"][0]
    first, second, accepted = json.loads(json.dumps(results))

    assert "2.1.0" == log["version"]
    assert list(RULES) == [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert "warning" == first["level"]
    assert {"startLine": 3, "startColumn": 5} == first["locations"][0]["physicalLocation"]["region"]
    assert first["partialFingerprints"] == later["partialFingerprints"]
    assert first["partialFingerprints"] != second["partialFingerprints"]
    assert [{"kind": "external", "justification": "one disk each"}] == accepted["suppressions"]


TODAY = date(2026, 12, 24)
ACCEPTED = """\
- id: disk-by-size-only
  path: a/**
  reason: one disk each
- id: suspended
  message: nothing like it
  reason: old
"""


def test_accepted_findings_are_told_apart() -> None:
    """Rule, path and message decide; what accepts nothing is said, so that the file stays short."""
    findings = [
        make_finding("disk-by-size-only", "x", HERE),
        make_finding("disk-by-size-only", "x", Position("c.yaml")),
        make_finding("suspended", "x", HERE),
    ]
    judged = judge(findings, read_acceptances("f.yaml", ACCEPTED), TODAY)

    assert ((findings[0],), ("one disk each",)) == (judged.accepted, judged.reasons)
    assert (findings[1], findings[2]) == judged.open
    assert [("suspended", 4)] == [(item.id, item.position.line) for item in judged.unused]


@pytest.mark.parametrize(("until", "is_open"), [("2026-12-24", False), ("2026-12-23", True)])
def test_acceptance_ends_after_its_last_day(until: str, *, is_open: bool) -> None:
    """What was put off comes back by itself, and says that it had been accepted."""
    finding = make_finding("suspended", "x", HERE)
    text = f"- {{id: suspended, reason: moving house, until: {until}}}"
    judged = judge([finding], read_acceptances("f.yaml", text), TODAY)

    assert is_open == (judged.open == (finding,))
    assert is_open == (not judged.accepted)
    assert is_open == bool(judged.expired)
    assert () == judged.unused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: suspended, reason: x, until: soon}", "no date: `soon`"),
        ("- {id: suspended, reason: x, until: }", "no date: ``"),
        ("id: x", "no list"),
        ("- 1", "no mapping"),
        ("- {id: suspendd, reason: x}", "did you mean `suspended`"),
        ("- {id: suspended}", "no reason"),
        ("- {id: suspended, reasn: x}", "did you mean `reason`"),
        ("- {id: suspended, reason: x", "did not find expected"),
    ],
)
def test_wrong_acceptances_are_refused(text: str, message: str) -> None:
    """A file that would accept nothing, or everything, is an error with a place."""
    with pytest.raises(AcceptanceError, match=message) as caught:
        read_acceptances("f.yaml", text)

    assert "f.yaml" == caught.value.position.path


def test_findings_compare_by_value() -> None:
    """Two readings of the same repository give equal findings."""
    one = Finding("a", Severity.INFO, "b", HERE)

    assert one == Finding("a", Severity.INFO, "b", Position("a/b.yaml", 3, 5))
