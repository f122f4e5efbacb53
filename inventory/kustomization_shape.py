"""What kustomize refuses in a kustomization.yaml before it builds anything, with the place.

Kustomize reads the file into Go structs: a field of another type ends the build, and so does a
field that does not exist. Flux reads the file of a Kustomization's own path first and writes it
anew, which drops unknown fields in silence and lets an empty file be:
fluxcd/pkg `kustomize/kustomize_generator.go`.
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from inventory.model import Json
from inventory.objects import get_list, get_mappings, get_strings, get_text
from inventory.scalars import is_other_key

Keys: TypeAlias = tuple[str | int, ...]


class _Type(Enum):
    TEXT = auto()
    FLAG = auto()
    NUMBER = auto()
    ANY = auto()
    LABELS = auto()  # texts by name


@dataclass(frozen=True, slots=True)
class _List:
    """A list whose items all have one shape."""

    of: _Shape


_Shape: TypeAlias = "_Type | _List | Mapping[str, _Shape]"
_Fields: TypeAlias = Mapping[str, _Shape]

_TEXTS: Final = _List(_Type.TEXT)
_ANYTHING: Final = _List(_Type.ANY)
_SELECTOR: Final[_Fields] = dict.fromkeys(
    ("group", "version", "kind", "name", "namespace", "annotationSelector", "labelSelector"),
    _Type.TEXT,
)
_PATCHES: Final = _List(
    {"path": _Type.TEXT, "patch": _Type.TEXT, "target": _SELECTOR, "options": _Type.ANY}
)
_OPTIONS: Final[_Fields] = {
    "labels": _Type.LABELS,
    "annotations": _Type.LABELS,
    "disableNameSuffixHash": _Type.FLAG,
    "immutable": _Type.FLAG,
}
_CONFIG_MAP: Final[_Fields] = {
    **dict.fromkeys(("name", "namespace", "behavior", "env"), _Type.TEXT),
    **dict.fromkeys(("envs", "files", "literals"), _TEXTS),
    "options": _OPTIONS,
}
_KUSTOMIZATION: Final[_Fields] = {
    **dict.fromkeys(("apiVersion", "kind", "namespace", "namePrefix", "nameSuffix"), _Type.TEXT),
    **dict.fromkeys(
        (
            *("resources", "components", "bases", "crds", "configurations", "generators"),
            *("transformers", "validators", "buildMetadata", "patchesStrategicMerge"),
        ),
        _TEXTS,
    ),
    **dict.fromkeys(("commonLabels", "commonAnnotations", "openapi"), _Type.LABELS),
    **dict.fromkeys(("patches", "patchesJson6902"), _PATCHES),
    **dict.fromkeys(("vars", "helmCharts", "helmChartInflationGenerator"), _ANYTHING),
    "helmGlobals": _Type.ANY,
    "metadata": {
        **dict.fromkeys(("name", "namespace"), _Type.TEXT),
        **dict.fromkeys(("labels", "annotations"), _Type.LABELS),
    },
    "labels": _List(
        {
            "pairs": _Type.LABELS,
            "includeSelectors": _Type.FLAG,
            "includeTemplates": _Type.FLAG,
            "fields": _ANYTHING,
        }
    ),
    "images": _List(
        dict.fromkeys(("name", "newName", "newTag", "tagSuffix", "digest"), _Type.TEXT)
    ),
    "replacements": _List({"path": _Type.TEXT, "source": _Type.ANY, "targets": _ANYTHING}),
    "replicas": _List({"name": _Type.TEXT, "count": _Type.NUMBER}),
    "sortOptions": {"order": _Type.TEXT, "legacySortOptions": _Type.ANY},
    "generatorOptions": _OPTIONS,
    "configMapGenerator": _List(_CONFIG_MAP),
    "secretGenerator": _List({**_CONFIG_MAP, "type": _Type.TEXT}),
}
_WORDS: Final = {_Type.TEXT: "text", _Type.FLAG: "true or false", _Type.NUMBER: "a whole number"}
_HEADS: Final = {"Kustomization": "v1beta1", "Component": "v1alpha1"}
_GROUP: Final = "kustomize.config.k8s.io"


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why kustomize refuses a file, or what Flux drops of it.

    Attributes:
        given: The number or boolean that stands where a text belongs.
    """

    rule: str
    message: str
    keys: Keys = ()
    given: Json = None


def find_mistakes(value: Json, wanted: str) -> Iterator[Mistake]:
    """Yield what is wrong with a kustomization.

    Args:
        value: Its content.
        wanted: The kind that whoever lists it needs; empty where Flux itself reads the file.
    """
    if not isinstance(value, dict):
        yield _invalid(f"kustomization must be a mapping, but is {_describe(value)}")
        return
    yield from _head(value, wanted)
    told = (item for key, item in value.items() if key not in ("apiVersion", "kind"))
    if wanted and all(item in (None, "", False) for item in told):
        yield Mistake("empty-kustomization", "kustomization lists nothing")
    for mistake in _fields(value, _KUSTOMIZATION, ()):
        is_refused = wanted and mistake.rule == "ignored-field"
        yield _invalid(mistake.message, mistake.keys) if is_refused else mistake
    yield from _items(value)
    yield from _generators(value)


def find_files(value: Json) -> Iterator[tuple[str, Keys]]:
    """Yield the files besides resources that kustomize opens, and where they are named."""
    for key in ("crds", "configurations"):
        for index, path in enumerate(get_strings(value, key)):
            yield path, (key, index)
    for index, item in enumerate(get_mappings(value, "replacements")):
        if get_text(item, "path"):
            yield get_text(item, "path"), ("replacements", index, "path")
    if get_text(value, "openapi", "path"):
        yield get_text(value, "openapi", "path"), ("openapi", "path")


def _invalid(message: str, keys: Keys = ()) -> Mistake:
    return Mistake("invalid-kustomization", message, keys)


def _head(value: Mapping[str, Json], wanted: str) -> Iterator[Mistake]:
    kind, version = get_text(value, "kind"), get_text(value, "apiVersion")
    if kind and kind not in _HEADS:
        yield _invalid(f"kind must be Kustomization or Component: `{kind}`", ("kind",))
        return
    expected = f"{_GROUP}/{_HEADS[kind or 'Kustomization']}"
    # The v1 of newer kustomize releases is taken for what it is, too.
    if version and version not in (expected, f"{_GROUP}/v1"):
        yield _invalid(f"apiVersion must be {expected}: `{version}`", ("apiVersion",))
    if wanted and (kind or "Kustomization") != wanted:
        list_name = "components" if kind == "Component" else "resources"
        yield _invalid(f"a {kind or 'Kustomization'} belongs under {list_name}", ("kind",))


def _fields(value: Mapping[str, Json], fields: _Fields, keys: Keys) -> Iterator[Mistake]:
    known = {name.lower(): shape for name, shape in fields.items()}  # as Go's JSON looks names up
    for key, item in value.items():
        shape = known.get(key.lower())
        if shape is None:
            yield Mistake(
                "ignored-field", f"kustomization has no such field: `{key}`", (*keys, key)
            )
        elif item is not None:
            yield from _check(item, shape, (*keys, key))


def _check(value: Json, shape: _Shape, keys: Keys) -> Iterator[Mistake]:
    if isinstance(shape, _List):
        yield from _check_list(value, shape, keys)
    elif shape is _Type.LABELS:
        yield from _check_labels(value, keys)
    elif isinstance(shape, _Type):
        if not _fits(value, shape):
            yield _wrong(value, _WORDS[shape], keys)
    elif isinstance(value, dict):
        yield from _fields(value, shape, keys)
    else:
        yield _wrong(value, "a mapping", keys)


def _check_list(value: Json, shape: _List, keys: Keys) -> Iterator[Mistake]:
    if not isinstance(value, list):
        yield _wrong(value, "a list", keys)
        return
    for index, item in enumerate(value):
        if item is not None:
            yield from _check(item, shape.of, (*keys, index))


def _check_labels(value: Json, keys: Keys) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield _wrong(value, "a mapping", keys)
        return
    for key, item in value.items():
        if is_other_key(key):  # kustomize writes it without quotes
            yield _invalid(f"key is no text once kustomize writes it: `{key}`", (*keys, key))
        if item is not None and not isinstance(item, str):
            yield _wrong(item, "text", (*keys, key))


def _fits(value: Json, shape: _Type) -> bool:
    if shape is _Type.ANY:
        return True
    if shape is _Type.FLAG:
        return isinstance(value, bool)
    if shape is _Type.NUMBER:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _wrong(value: Json, wanted: str, keys: Keys) -> Mistake:
    name = ".".join(map(str, keys))
    given = value if wanted == "text" and isinstance(value, (bool, int, float)) else None
    message = f"`{name}` must be {wanted}, but is {_describe(value)}"
    return Mistake("invalid-kustomization", message, keys, given)


def _describe(value: Json) -> str:
    match value:
        case None:
            return "empty"
        case str():
            return "text"
        case bool():
            return f"{str(value).lower()}, a boolean"
        case int() | float():
            return f"a number: {value}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _items(value: Mapping[str, Json]) -> Iterator[Mistake]:
    for key in ("resources", "components", "bases"):
        for index, item in enumerate(get_list(value, key)):
            if item in (None, ""):
                yield _invalid(f"item of {key} is empty", (key, index))
    for key in ("patches", "patchesJson6902"):
        for index, item in enumerate(get_mappings(value, key)):
            if bool(get_text(item, "patch")) == bool(get_text(item, "path")):
                count = "both patch and" if get_text(item, "patch") else "neither patch nor"
                yield _invalid(f"{key} item has {count} path", (key, index))
    for key in ("helmCharts", "helmChartInflationGenerator"):
        if get_list(value, key):
            yield _invalid(f"Flux never renders Helm charts of a kustomization: `{key}`", (key,))


def _generators(value: Mapping[str, Json]) -> Iterator[Mistake]:
    for key in ("configMapGenerator", "secretGenerator"):
        seen: set[tuple[str, str]] = set()
        for index, item in enumerate(get_mappings(value, key)):
            name, namespace = get_text(item, "name"), get_text(item, "namespace")
            if not name:
                yield _invalid(f"item of {key} has no name", (key, index))
            elif (name, namespace) in seen and not get_text(item, "behavior"):
                yield _invalid(f"{key} makes the same object twice: `{name}`", (key, index))
            seen.add((name, namespace))
            known: set[str] = set()
            for number, text in enumerate(get_strings(item, "literals")):
                found, sign, _ = text.partition("=")
                place = (key, index, "literals", number)
                if not sign:
                    yield _invalid(f"literal is not of the form key=value: `{found}`", place)
                elif found in known:
                    yield _invalid(f"{key} `{name}` has a key twice: `{found}`", place)
                known.add(found)
