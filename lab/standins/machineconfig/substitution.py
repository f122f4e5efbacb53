"""Variables: clusterenv.yaml's names, what ClusterTool derives from them, and `${...}`.

The rules of `${...}` are those of a8m/envsubst with no unset and no empty variable allowed, which
is how talhelper calls it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from lab.standins.machineconfig.yaml_door import load_document, strip_comments
from lab.standins.values import as_map, as_text

__all__ = ["SubstitutionError", "derive_variables", "read_clusterenv", "substitute"]

_NAME = r"[A-Za-z0-9_]+"
_REFERENCE = re.compile(rf"\$\$|\$\{{(?P<braced>{_NAME})(?P<rest>[^}}\n]*)\}}|\$(?P<bare>{_NAME})")
_OPEN = re.compile(rf"\$\{{{_NAME}[^}}\n]*$", re.MULTILINE)
_OPERATORS = (":-", ":=", ":+", "-", "=", "+")
# ClusterTool takes /24 where an address has no mask.
_DEFAULT_MASK = "24"


class SubstitutionError(Exception):
    """A variable that is not set, or empty, or a `${` that nothing closes."""


def read_clusterenv(text: str, cluster: str) -> dict[str, str]:
    """Read clusterenv.yaml and add what ClusterTool derives.

    Args:
        text: Decrypted clusterenv.yaml, a flat map.
        cluster: Name of the cluster, which becomes CLUSTERNAME.
    """
    variables = {key: as_text(value) for key, value in as_map(load_document(text)).items()}
    variables["CLUSTERNAME"] = cluster
    return derive_variables(variables)


def derive_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Add `X_IP`, `X_NETMASK` and `X_CIDR` for every value that is an address or a network."""
    derived = dict(variables)
    for key, value in variables.items():
        parts = _split_address(value)
        if parts is not None:
            ip, mask = parts
            derived |= {f"{key}_IP": ip, f"{key}_NETMASK": mask, f"{key}_CIDR": f"{ip}/{mask}"}
    return derived


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `$NAME` in YAML; comments are dropped first.

    Raises:
        SubstitutionError: With envsubst's own text.
        YamlError: The text is not YAML.
    """
    clean = strip_comments(text)
    if _OPEN.search(clean):
        raise SubstitutionError("closing brace expected")
    return "".join(_replace(clean, variables))


def _replace(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    position = 0
    for match in _REFERENCE.finditer(text):
        yield text[position : match.start()]
        position = match.end()
        if match[0] == "$$":
            yield "$"
        elif match["bare"] is not None:
            yield _look_up(match["bare"], variables)
        else:
            yield _evaluate(match["braced"], match["rest"], variables)
    yield text[position:]


def _evaluate(name: str, rest: str, variables: Mapping[str, str]) -> str:
    operator = next((item for item in _OPERATORS if rest.startswith(item)), "")
    default = rest.removeprefix(operator)
    if not operator or not default:
        return _look_up(name, variables)
    if operator.endswith("+"):
        return _default(default, variables) if name in variables else ""
    if operator.startswith(":"):
        return variables.get(name) or _default(default, variables)
    return _look_up(name, variables) if name in variables else _default(default, variables)


def _default(text: str, variables: Mapping[str, str]) -> str:
    return _look_up(text[1:], variables) if re.fullmatch(rf"\${_NAME}", text) else text


def _look_up(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise SubstitutionError(f"variable ${{{name}}} not set")
    if not variables[name]:
        raise SubstitutionError(f"variable ${{{name}}} set but empty")
    return variables[name]


def _split_address(value: str) -> tuple[str, str] | None:
    ip, slash, mask = value.partition("/")
    try:
        if slash:
            ipaddress.ip_interface(value)
        else:
            ipaddress.ip_address(value)
    except ValueError:
        return None
    return ip, mask if slash else _DEFAULT_MASK
