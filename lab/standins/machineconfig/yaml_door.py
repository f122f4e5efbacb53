"""YAML as Go's yaml.v3 reads and writes it: no dates, no base 60, `yes` is text."""

from __future__ import annotations

import re

import yaml

from lab.standins.values import Json, from_untyped

__all__ = ["YamlError", "dump_documents", "load_document", "load_documents", "strip_comments"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class YamlError(Exception):
    """The text is not YAML; worded like Go's, with the line."""


class _GoLoader(_Loader):  # type: ignore[misc, valid-type]  # the C class is chosen at run time
    """A safe loader with the scalar rules of YAML 1.2, as Go has them."""


_GoLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"^<<$", "<"),
):
    _GoLoader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first.replace("\0", "")))
_GoLoader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile(r"^$"))
)


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.lstrip("+-")[:2] in {"0o", "0x"} else int(text)


_GoLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def load_documents(text: str) -> list[Json]:
    """Read every document of a stream; empty ones are left out.

    Raises:
        YamlError: The text is not YAML.
    """
    try:
        parsed = [from_untyped(item) for item in yaml.load_all(text, _GoLoader)]
    except yaml.YAMLError as error:
        raise YamlError(_describe(error)) from error
    return [item for item in parsed if item is not None]


def load_document(text: str) -> Json:
    """Read the first document, `None` when there is none."""
    documents = load_documents(text)
    return documents[0] if documents else None


def strip_comments(text: str) -> str:
    """Write the same YAML without comments, so that variables in them do not count."""
    try:
        nodes = list(yaml.compose_all(text, _GoLoader))
        written = yaml.serialize_all(nodes, Dumper=_Dumper, width=1 << 30, allow_unicode=True)
    except yaml.YAMLError as error:
        raise YamlError(_describe(error)) from error
    return str(written)


def dump_documents(documents: list[Json], *, indent: int = 2) -> str:
    """Write documents as one stream, `---` between them, in the order of their keys."""
    return "---\n".join(
        yaml.dump(
            item,
            Dumper=_GoDumper,
            sort_keys=False,
            indent=indent,
            width=1 << 30,
            allow_unicode=True,
        )
        for item in documents
    )


class _GoDumper(yaml.SafeDumper):
    """Indents sequences inside mappings and writes long texts as literal blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  PyYAML's signature
        before, best = self.indent, self.best_indent
        super().increase_indent(flow, False)
        if before is not None:
            # Go's: what begins behind a dash is two further, all else at the next multiple.
            behind_dash = self.sequence_context
            self.indent = before + 2 if behind_dash else (before + best) // best * best


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_GoDumper.add_representer(str, _represent_text)
# A date is plain text here, as it is to the loader.
_GoDumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def _describe(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"yaml: line {mark.line + 1}: {problem}" if mark is not None else f"yaml: {problem}"
