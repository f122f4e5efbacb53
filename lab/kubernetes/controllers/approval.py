"""What kubelet-csr-approver thinks of a request, by the settings of its Deployment.

Follows postfinance/kubelet-csr-approver v1.2.14, `internal/controller` and `internal/cmd`: flags,
or environment variables of the same names. Names of nodes resolve to their addresses here, and
nothing else does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from inventory.regexes import Pattern, compile_pattern
from lab.kubernetes.controllers.requests import NODE_USER, Asked, read_request
from lab.kubernetes.values import Object, maps, text, texts

__all__ = ["ApproverSettings", "IgnoredError", "find_objection", "read_settings"]

_LONGEST_S = 367 * 24 * 3600
_ANYWHERE = "0.0.0.0/0,::/0"
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class IgnoredError(Exception):
    """The approver leaves a request as it is."""


@dataclass(frozen=True, slots=True)
class ApproverSettings:
    """Its flags."""

    names: Pattern
    networks: tuple[_Network, ...]
    longest_s: int = _LONGEST_S
    most_names: int = 1
    skips_resolution: bool = False
    skips_hostname: bool = False
    ignores_others: bool = False
    denies: bool = True


def read_settings(deployment: Object) -> ApproverSettings | None:
    """Read flags and environment of a Deployment; None where the program ends with them."""
    given = {key.lower().replace("_", "-"): value for key, value in _list_given(deployment)}
    names = compile_pattern(given.get("provider-regex", ".*"))
    try:
        longest_s = int(given.get("max-expiration-sec", _LONGEST_S))
        most_names = int(given.get("allowed-dns-names", 1))
        networks = tuple(
            ipaddress.ip_network(part, strict=False)
            for part in given.get("provider-ip-prefixes", _ANYWHERE).split(",")
        )
    except ValueError:
        return None
    if names is None or given.get("provider-regex") == "" or not 0 <= longest_s <= _LONGEST_S:
        return None
    on = {name for name, value in given.items() if value.lower() in {"true", "1", "t"}}
    return ApproverSettings(
        names=names,
        networks=networks,
        longest_s=longest_s,
        most_names=most_names,
        skips_resolution="bypass-dns-resolution" in on,
        skips_hostname="bypass-hostname-check" in on,
        ignores_others="ignore-non-system-node" in on,
        denies="skip-deny-step" not in on,
    )


def find_objection(request: Object, settings: ApproverSettings, nodes: Mapping[str, str]) -> str:
    """Say why a request is denied; "" where it is approved. `nodes` are addresses by name.

    Raises:
        IgnoredError: it is none of those that the approver looks at.
    """
    asked = read_request(request)
    if asked is None:
        raise IgnoredError
    if not asked.user.startswith(NODE_USER):
        if settings.ignores_others:
            raise IgnoredError
        return "CSR Spec.Username is not prefixed with system:node:"
    if not asked.names and not asked.addresses:
        return "The x509 Cert Request SAN contains neither an IP address nor a DNS name"
    if asked.common_name != asked.user:
        return "CSR username does not match the parsed x509 certificate request commonname"
    reason = _object_to_names(asked, settings) or _object_to_resolution(asked, settings, nodes)
    for address in () if reason else asked.addresses:
        if not _is_within(address, settings):
            return (
                f"One of the SAN IP addresses, {address}, is not part"
                "of the allowed IP Prefixes/Subnets, denying the CSR."  # no space in the original
            )
    if not reason and asked.longest_s > settings.longest_s:
        return "CSR spec.expirationSeconds is longer than the maximum allowed expiration second"
    return reason


def _object_to_names(asked: Asked, settings: ApproverSettings) -> str:
    if len(asked.names) > settings.most_names:
        return "The x509 Cert Request contains more DNS names than allowed through the config flag"
    for name in asked.names:
        is_own = name.startswith(asked.user.removeprefix(NODE_USER))
        if not is_own and not settings.skips_hostname:
            return "The SAN DNS Name in the x509 CSR is not prefixed by the node name (hostname)"
        if not settings.names.is_in(name):
            return "The SAN DNS name in the x509 CR is not allowed by the Cloud provider regex"
    return ""


def _object_to_resolution(
    asked: Asked, settings: ApproverSettings, nodes: Mapping[str, str]
) -> str:
    if settings.skips_resolution or not asked.names:
        return ""
    if any(name not in nodes for name in asked.names):
        return "The SAN DNS Name could not be resolved, denying the CSR"
    resolved = [nodes[name] for name in asked.names]
    for address in resolved:
        if not _is_within(address, settings):
            return (
                f"One of the resolved IP addresses, {address},"
                "isn't part of the provider-specified set of whitelisted IP. "
                "denying the certificate"
            )
    for address in asked.addresses:
        if address not in resolved:
            return (
                f"One of the SAN IP addresses, {address}, "
                "is not contained in the set of resolved IP addresses, denying the CSR."
            )
    return ""


def _is_within(address: str, settings: ApproverSettings) -> bool:
    return any(ipaddress.ip_address(address) in network for network in settings.networks)


def _list_given(deployment: Object) -> Iterator[tuple[str, str]]:
    """Yield settings by name: the environment first, since flags win over it."""
    containers = maps(deployment, "spec", "template", "spec", "containers")
    for container in containers:
        for variable in maps(container, "env"):
            yield text(variable, "name"), text(variable, "value")
    for container in containers:
        arguments = [*texts(container, "command"), *texts(container, "args")]
        for argument, following in pairwise([*arguments, "-"]):
            name, equals, value = argument.lstrip("-").partition("=")
            if argument.startswith("-"):
                yield name, value if equals else _read_value(following)


def _read_value(following: str) -> str:
    return "true" if following.startswith("-") else following
