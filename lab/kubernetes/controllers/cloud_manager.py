"""What talos-cloud-controller-manager makes of a request, by its flags.

Follows siderolabs/talos-cloud-controller-manager v1.12.0, `pkg/certificatesigningrequest` and
`pkg/talos`, and k8s.io/controller-manager for `--controllers`. It looks at a request once, when it
hears of it: one that names no known node, or an address that is not the node's, stays pending
until the program starts anew.
"""

from __future__ import annotations

from lab.kubernetes.controllers.requests import NODE_USER, Asked, Verdict, read_request
from lab.kubernetes.values import Object, at, maps, text, texts

__all__ = ["NODE_ADDRESS", "UNINITIALIZED", "judge_by_cloud_manager", "runs_controller"]

# What a kubelet with an external cloud provider tells of its address.
NODE_ADDRESS = "alpha.kubernetes.io/provided-node-ip"
# The taint with which it registers its node then.
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
_ALIASES = {
    "node-csr-approval": "certificatesigningrequest-approving-controller",
    "cloud-node": "cloud-node-controller",
}
_OFF_BY_DEFAULT = frozenset({"certificatesigningrequest-approving-controller"})
_USAGES = frozenset({"key encipherment", "digital signature", "server auth"})
_NEEDED_USAGES = frozenset({"digital signature", "server auth"})


def runs_controller(workload: Object, name: str) -> bool:
    """Tell whether a controller is switched on by the flags of its Deployment or DaemonSet."""
    wanted = _ALIASES[name]
    given: list[str] = []
    for container in maps(workload, "spec", "template", "spec", "containers"):
        for argument in [*texts(container, "command"), *texts(container, "args")]:
            flag, equals, value = argument.lstrip("-").partition("=")
            if flag == "controllers" and equals:
                given += [part.strip() for part in value.split(",")]
    for part in given:
        if _ALIASES.get(part.removeprefix("-"), part.removeprefix("-")) == wanted:
            return not part.startswith("-")
    return ("*" in given or not given) and wanted not in _OFF_BY_DEFAULT


def judge_by_cloud_manager(request: Object, node: Object | None) -> Verdict | None:
    """Decide about a pending request; None where it is left as it is.

    `node` is the Node that the first name of the request names.
    """
    asked = read_request(request)
    if asked is None or not asked.user.startswith(NODE_USER):
        return None
    objection = _find_objection(asked)
    if objection:
        why = "This CSR was denied by Talos Cloud Controller Manager, Reason: "
        return Verdict("Denied", "Denied by TalosCloudControllerManager", why + objection)
    # Without any name the real one ends with an index that is out of range.
    if not asked.names or node is None or not set(asked.addresses) <= _list_addresses(node):
        return None
    return Verdict(
        "Approved",
        "Approved by TalosCloudControllerManager",
        "This CSR was approved by Talos Cloud Controller Manager",
    )


def _find_objection(asked: Asked) -> str:
    # In their order; the last space of the common name's is theirs.
    found = (
        (not asked.names and not asked.addresses, "DNS or IP subjectAltName is required"),
        (any(map(_is_of_api, asked.names)), "DNS subjectAltNames are not allowed"),
        (bool(asked.emails), "email subjectAltNames are not allowed"),
        (bool(asked.uris), "URI subjectAltNames are not allowed"),
        (asked.organizations != ("system:nodes",), "subject organization is not system:nodes"),
        (
            not asked.common_name.startswith(NODE_USER),
            "subject common name does not begin with system:node: ",
        ),
        (
            not _NEEDED_USAGES <= set(asked.usages) <= _USAGES,
            "key usage does not match",
        ),
    )
    return next((words for is_wrong, words in found if is_wrong), "")


def _is_of_api(name: str) -> bool:
    return name == "kubernetes" or name.startswith("kubernetes.")


def _list_addresses(node: Object) -> set[str]:
    told = text(at(node, "metadata", "annotations"), NODE_ADDRESS).split(",")
    return {*told, *(text(item, "address") for item in maps(node, "status", "addresses"))}
