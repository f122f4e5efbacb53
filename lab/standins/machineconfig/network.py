"""A node's network: documents of their own since Talos 1.12, `machine.network` before."""

from __future__ import annotations

from collections.abc import Iterator

from lab.standins.machineconfig.talconfig import Node
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["legacy_network", "network_documents"]

_DEFAULT_ROUTES = frozenset({"", "0.0.0.0/0", "::/0"})


def legacy_network(node: Node) -> JsonMap:
    """`machine.network` for Talos 1.11 and older."""
    network: JsonMap = {}
    if node.settings.get("ignoreHostname") is not True:
        network["hostname"] = node.hostname
    for key, source in (("interfaces", "networkInterfaces"), ("nameservers", "nameservers")):
        if node.settings.get(source):
            network[key] = node.settings[source]
    if node.settings.get("disableSearchDomain") is True:
        network["disableSearchDomain"] = True
    return network


def network_documents(node: Node) -> list[JsonMap]:
    """Resolver, hostname, links, VLANs and VIPs, in talhelper's order."""
    documents: list[JsonMap] = []
    nameservers = as_list(node.settings.get("nameservers"))
    disabled = node.settings.get("disableSearchDomain") is True
    if nameservers or disabled:
        documents.append(_make_resolver(nameservers, disabled=disabled))
    documents.append(_make_hostname(node))
    devices = [as_map(item) for item in as_list(node.settings.get("networkInterfaces"))]
    named = list(_name_devices(devices))
    documents += [_make_alias(item) for item in named if item.get("deviceSelector")]
    documents += [_make_bond(item) for item in named if item.get("bond")]
    for item in named:
        if item.get("dhcp") is True:
            documents.append(_document("DHCPv4Config", name=item["interface"]))
    documents += [_make_vip(item, item["interface"]) for item in named if _vip_of(item)]
    for item in named:
        if _has_link(item) and not item.get("bond") and not item.get("bridge"):
            documents.append(_document("LinkConfig", name=item["interface"]) | _make_link(item))
    for item in named:
        documents += _make_vlans(item)
    return documents


def _document(kind: str, **fields: Json) -> JsonMap:
    return {"apiVersion": "v1alpha1", "kind": kind, **fields}


def _make_resolver(nameservers: list[Json], *, disabled: bool) -> JsonMap:
    document = _document("ResolverConfig")
    if nameservers:
        document["nameservers"] = [{"address": item} for item in nameservers]
    document["searchDomains"] = {"disableDefault": disabled}
    return document


def _make_hostname(node: Node) -> JsonMap:
    if node.settings.get("ignoreHostname") is True:
        return _document("HostnameConfig", auto="stable")
    return _document("HostnameConfig", auto="off", hostname=node.hostname)


def _name_devices(devices: list[JsonMap]) -> Iterator[JsonMap]:
    # Devices found by a selector get an alias: ethSel0, bond0 and so on, skipping taken names.
    used = {as_text(item.get("interface")) for item in devices}
    for device in devices:
        name = as_text(device.get("interface"))
        if not name and device.get("deviceSelector"):
            prefix = next(
                (short for key, short in (("bond", "bond"), ("bridge", "br")) if device.get(key)),
                "ethSel",
            )
            name = next(
                candidate
                for candidate in (f"{prefix}{index}" for index in range(len(used) + 1))
                if candidate not in used
            )
            used.add(name)
        yield {**device, "interface": name}


def _make_alias(device: JsonMap) -> JsonMap:
    selector = as_map(device["deviceSelector"])
    rules = (
        ("hardwareAddr", 'glob("{}", mac(link.hardware_addr))'),
        ("permanentAddr", 'glob("{}", mac(link.permanent_addr))'),
        ("busPath", 'glob("{}", link.bus_path)'),
        ("driver", 'glob("{}", link.driver)'),
        ("pciID", 'glob("{}", link.pciid)'),
    )
    terms = [rule.format(selector[key]) for key, rule in rules if selector.get(key)]
    if "physical" in selector:
        terms.append("link.type == 1" if selector["physical"] is True else "link.type != 1")
    return _document(
        "LinkAliasConfig", name=device["interface"], selector={"match": " && ".join(terms)}
    )


def _make_bond(device: JsonMap) -> JsonMap:
    bond = as_map(device["bond"])
    document = _document("BondConfig", name=device["interface"])
    links = as_list(bond.get("interfaces"))
    if links:
        document["links"] = links
    if bond.get("mode"):
        document["bondMode"] = bond["mode"]
    return document | _make_link(device)


def _vip_of(device: JsonMap) -> str:
    return as_text(as_map(device.get("vip")).get("ip"))


def _make_vip(device: JsonMap, link: Json) -> JsonMap:
    return _document("Layer2VIPConfig", name=_vip_of(device), link=link)


def _has_link(device: JsonMap) -> bool:
    return any(device.get(key) for key in ("addresses", "routes", "mtu"))


def _make_link(device: JsonMap) -> JsonMap:
    link: JsonMap = {}
    if device.get("mtu"):
        link["mtu"] = device["mtu"]
    addresses = [as_text(item) for item in as_list(device.get("addresses"))]
    if addresses:
        link["addresses"] = [{"address": _with_prefix(item)} for item in addresses]
    routes = [_make_route(as_map(item)) for item in as_list(device.get("routes"))]
    if routes:
        link["routes"] = list[Json](routes)
    return link


def _with_prefix(address: str) -> str:
    if "/" in address:
        return address
    return f"{address}/{128 if ':' in address else 32}"


def _make_route(route: JsonMap) -> JsonMap:
    result: JsonMap = {}
    # A default route is known by its gateway alone.
    if as_text(route.get("network")) not in _DEFAULT_ROUTES:
        result["destination"] = route["network"]
    for key in ("gateway", "source", "metric", "mtu"):
        if route.get(key):
            result[key] = route[key]
    return result


def _make_vlans(device: JsonMap) -> list[JsonMap]:
    documents: list[JsonMap] = []
    for item in as_list(device.get("vlans")):
        vlan = as_map(item)
        name = f"{as_text(device['interface'])}.{as_text(vlan.get('vlanId'))}"
        documents.append(
            _document(
                "VLANConfig", name=name, vlanID=vlan.get("vlanId"), parent=device["interface"]
            )
            | _make_link(vlan)
        )
        if vlan.get("dhcp") is True:
            documents.append(_document("DHCPv4Config", name=name))
        if _vip_of(vlan):
            documents.append(_make_vip(vlan, name))
    return documents
